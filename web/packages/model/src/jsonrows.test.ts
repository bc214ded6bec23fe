import fc from "fast-check";
import { expect, test } from "vitest";
import { isObject, type Json, RawNumber } from "./json.ts";
import { jsonKind, jsonPreview, jsonRows, PAGE } from "./jsonrows.ts";

const options = (openDepth = 1, toggled: string[] = [], limits: [string, number][] = []) => ({
  openDepth,
  toggled: new Set(toggled),
  limits: new Map(limits),
});
const show = (value: Json, ...args: Parameters<typeof options>): string[] =>
  jsonRows(value, options(...args)).map((row) => `${row.path}${row.more === undefined ? "" : ` +${row.more}`}`);

test("folds below the depth, unfolds what was toggled", () => {
  const value = { a: { b: { c: 1 } }, d: [2] };
  expect(show(value, 0)).toEqual(["/a", "/d"]);
  expect(show(value, 1)).toEqual(["/a", "/a/b", "/d", "/d/0"]);
  expect(show(value, 1, ["/a", "/d"])).toEqual(["/a", "/d"]);
  expect(show(value, 0, ["/a", "/a/b"])).toEqual(["/a", "/a/b", "/a/b/c", "/d"]);
});

test("a plain value is one row, and so is an empty one", () => {
  expect(jsonRows("x", options())).toMatchObject([{ path: "", key: null, kind: "string" }]);
  expect(jsonRows({}, options())).toMatchObject([{ path: "", kind: "object", size: 0 }]);
});

test("long lists come in pages", () => {
  const value = Array.from({ length: PAGE + 5 }, (_, i) => i);
  const rows = jsonRows(value, options());
  expect(rows).toHaveLength(PAGE + 1);
  expect(rows.at(-1)).toMatchObject({ more: 5 });
  expect(jsonRows(value, options(1, [], [["", 200]]))).toHaveLength(PAGE + 5);
});

test("paths are unique and escaped", () => {
  expect(show({ "a/b": { "~": 1 }, a: { b: 2 } }, 5)).toEqual(["/a~1b", "/a~1b/~0", "/a", "/a/b"]);
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const paths = show(value as Json, 99);
      expect(new Set(paths).size).toBe(paths.length);
    }),
  );
});

function leaves(value: Json): number {
  if (Array.isArray(value)) return value.length === 0 ? 1 : value.map(leaves).reduce((a, b) => a + b, 0);
  if (isObject(value)) return leaves(Object.values(value));
  return 1;
}

test("fully unfolded, every leaf is a row", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const rows = jsonRows(value as Json, options(99));
      expect(rows.filter((row) => row.size === 0)).toHaveLength(leaves(value as Json));
    }),
  );
});

test("kinds and previews", () => {
  expect([null, [], {}, "a", 1, new RawNumber("1e999"), true].map(jsonKind)).toEqual([
    "null",
    "array",
    "object",
    "string",
    "number",
    "number",
    "boolean",
  ]);
  expect(jsonPreview({ a: 1, b: 2, c: 3, d: 4, e: 5 })).toBe("{a, b, c, d, …}");
  expect(jsonPreview([1, 2])).toBe("[2]");
  expect(jsonPreview(new RawNumber("12345678901234567890"))).toBe("12345678901234567890");
});
