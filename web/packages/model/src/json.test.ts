import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { field, type Json, JsonError, parseJson, parseStructured, RawNumber, stringify } from "./json.ts";

/** The text that makes the careful parser read `text`, whatever numbers it holds. */
const careful = (text: string): string => `[123456789012345678901,${text}]`;

function carefully(text: string): Json {
  return (parseJson(careful(text)) as Json[])[1] as Json;
}

describe("parseJson", () => {
  test("reads what JSON.parse reads, on both paths", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(3), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(carefully(text)).toEqual(JSON.parse(text));
        expect(parseJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  test("refuses what JSON.parse refuses", () => {
    const broken = [
      "",
      "{",
      "[",
      "[1,]",
      "{,}",
      '{"a"}',
      '{"a":}',
      "[1 2]",
      "nul",
      "01",
      "+1",
      "1.",
      ".5",
      '"',
      '"\\x"',
      '"\n"',
      "[1]]",
      "{'a':1}",
    ];
    for (const text of broken) {
      expect(() => parseJson(text), text).toThrow(JsonError);
      expect(() => parseJson(careful(text)), text).toThrow(JsonError);
    }
  });

  test("broken texts never get through the careful path alone", () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), fc.constantFrom("", ",", "}", "]", '"', "x", ":"), (text, where, insert) => {
        const cut = where % (text.length + 1);
        const changed = careful(text.slice(0, cut) + insert + text.slice(cut));
        let expected: unknown;
        try {
          expected = JSON.parse(changed);
        } catch {
          expect(() => parseJson(changed)).toThrow(JsonError);
          return;
        }
        expect((parseJson(changed) as Json[]).length).toEqual((expected as Json[]).length);
      }),
    );
  });

  test.each([
    "9007199254740993",
    "-9223372036854775808",
    "18446744073709551615",
    "0.1234567890123456789",
    "1e400",
    "-1.5E+999",
    "100000000000000000000001",
  ])("keeps every digit of %s", (text) => {
    const value = parseJson(`{"n": ${text}}`);
    expect(field(value, "n")).toEqual(new RawNumber(text));
    expect(stringify(value)).toBe(`{"n":${text}}`);
    expect(parseJson(text)).toEqual(new RawNumber(text));
  });

  test.each([
    "1750000000000000000",
    "1e300",
    "1.50000000000000000",
    "0.0000000000000000000",
    "-0.0",
    "5e-324",
    "1E+02",
  ])("%s is a plain number", (text) => {
    expect(carefully(text)).toBeTypeOf("number");
  });

  test("integers of any size come back digit for digit", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), (value) => {
        expect(stringify(parseJson(`[${value}]`))).toBe(`[${value}]`);
      }),
      { examples: [[2n ** 53n + 1n]] },
    );
  });

  test("depth does not overflow the stack", () => {
    const depth = 100_000;
    let value = carefully("[".repeat(depth) + "]".repeat(depth));
    let seen = 0;
    while (Array.isArray(value)) {
      seen += 1;
      value = value[0] as Json;
    }
    expect(seen).toBe(depth);
  });

  test("long strings are no problem for the careful path", () => {
    const long = 'a\\"'.repeat(1_000_000);
    expect((carefully(`"${long}"`) as string).length).toBe(2_000_000);
  });

  test("a key __proto__ is data and changes no prototype", () => {
    for (const text of ['{"__proto__": {"polluted": 1}}', '{"__proto__": {"polluted": 123456789012345678901}}']) {
      const value = parseJson(text);
      expect(Object.keys(value as object)).toEqual(["__proto__"]);
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
      expect(field(value, "polluted")).toBeUndefined();
      expect(field(value, "__proto__")).toBeDefined();
    }
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});

test("field finds own keys only", () => {
  expect(field({}, "constructor")).toBeUndefined();
  expect(field([1], "length")).toBeUndefined();
  expect(field(new RawNumber("1"), "text")).toBeUndefined();
  expect(field(null, "a")).toBeUndefined();
});

test("parseStructured takes objects and arrays only", () => {
  expect(parseStructured(' {"a": 1}')).toEqual({ a: 1 });
  expect(parseStructured("[1]")).toEqual([1]);
  for (const text of ["1", '"{}"', "{not json", "[…]", ""]) expect(parseStructured(text)).toBeUndefined();
});

test("stringify mixes raw numbers with strings that look like anything", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string(), fc.constantFrom("\u0000a:0", '"', "$&"))), (strings) => {
      const value: Json = [new RawNumber("18446744073709551615"), ...strings];
      expect(parseJson(stringify(value))).toEqual(value);
      expect(parseJson(stringify(value, 2))).toEqual(value);
    }),
  );
});
