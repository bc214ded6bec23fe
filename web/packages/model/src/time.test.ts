import fc from "fast-check";
import { expect, test } from "vitest";
import { asNanos, fromIso, fromMillis, millisBetween, parseTime, toMillis } from "./time.ts";

test("RFC 3339 keeps nine digits", () => {
  expect(fromIso("2026-03-09T14:03:07.123456789Z")).toBe(1773064987123456789n);
  expect(fromIso("2026-03-09T14:03:07Z")).toBe(1773064987000000000n);
  expect(fromIso("2026-03-09 14:03:07.5")).toBe(1773064987500000000n);
  expect(fromIso("2026-03-09T16:03:07+02:00")).toBe(1773064987000000000n);
  expect(fromIso("1969-12-31T23:59:59.25Z")).toBe(-750000000n);
});

test("what is no time is none", () => {
  for (const value of ["", "yesterday", "2026-13-45T00:00:00Z", null, 5, {}, "12ab", "1".repeat(40)]) {
    expect(parseTime(value)).toBeUndefined();
  }
});

test("digits are nanoseconds, exactly", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      expect(parseTime(String(value))).toBe(value);
    }),
  );
});

test("milliseconds go there and back", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_000_000_000_000 }), (ms) => {
      expect(toMillis(fromMillis(ms))).toBe(ms);
    }),
  );
  expect(toMillis(fromMillis(1.5))).toBe(1.5);
});

test("differences are exact to the nanosecond where doubles of the times are not", () => {
  const start = asNanos(1773064987123456789n);
  expect(millisBetween(start, asNanos(start + 1n))).toBe(1e-6);
});
