import fc from "fast-check";
import { expect, test } from "vitest";
import {
  formatAgo,
  formatClock,
  formatCost,
  formatCount,
  formatDateTime,
  formatDuration,
  formatRunning,
  formatTick,
  formatTokens,
  plural,
} from "./format.ts";
import { at, T0 } from "./testing.ts";
import { fromIso } from "./time.ts";

test.each([
  [0, "0 ms"],
  [0.00004, "40 ns"],
  [0.0421, "42.1 µs"],
  [0.84, "840 µs"],
  [1, "1 ms"],
  [1.246, "1.25 ms"],
  [42.04, "42 ms"],
  [999.4, "999 ms"],
  [999.6, "1 s"],
  [1240, "1.24 s"],
  [59_990, "60 s"],
  [59_996, "1m 00s"],
  [185_000, "3m 05s"],
  [7_800_000, "2h 10m"],
  [97 * 3_600_000, "4d 1h"],
  [-5, "−5 ms"],
  [Number.NaN, "–"],
])("duration %f is %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test("what took some time never shows as nothing", () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-9, max: 1e12, noNaN: true, minExcluded: true }), (ms) => {
      const text = formatDuration(ms);
      expect(text).not.toMatch(/^0 /);
      expect(text.length).toBeLessThanOrEqual(12);
    }),
  );
});

test("a running duration counts down to tenths and never runs ahead", () => {
  expect(formatRunning(-20)).toBe("0.0 s");
  expect(formatRunning(399)).toBe("0.3 s");
  expect(formatRunning(12_450)).toBe("12.4 s");
  expect(formatRunning(185_900)).toBe("3m 05s");
});

test.each([
  [0, 500, "0"],
  [1500, 500, "1.5 s"],
  [2000, 1000, "2 s"],
  [250, 250, "0.25 s"],
  [25, 25, "25 ms"],
  [2.5, 2.5, "2.5 ms"],
  [0.02, 0.02, "20 µs"],
  [120_000, 60_000, "2 m"],
])("tick %f of step %f is %s", (ms, step, text) => {
  expect(formatTick(ms, step)).toBe(text);
});

test("counts, tokens, cost", () => {
  expect(formatCount(12408)).toBe("12\u202f408");
  expect(formatCount(999)).toBe("999");
  expect([842, 1000, 12_449, 999_400, 999_960, 1_249_000, 3e9].map(formatTokens)).toEqual([
    "842",
    "1k",
    "12.4k",
    "999k",
    "1M",
    "1.2M",
    "3G",
  ]);
  expect([0, 0.00042, 0.083, 0.5, 1.2, 1204, 1e-9].map(formatCost)).toEqual([
    "$0",
    "$0.00042",
    "$0.083",
    "$0.50",
    "$1.20",
    "$1\u202f204",
    "<$0.000001",
  ]);
  expect([plural(1, "span"), plural(0, "span"), plural(1200, "span")]).toEqual([
    "1 span",
    "0 spans",
    "1\u202f200 spans",
  ]);
});

test("ago", () => {
  expect([0, 2, 42, 300, 7300, 200_000].map((seconds) => formatAgo(T0, at(seconds * 1000)))).toEqual(
    ["now", "42s ago", "5m ago", "2h ago", "2d ago"].toSpliced(1, 0, "now"),
  );
  expect(formatAgo(at(5000), T0), "a clock behind the sender's").toBe("now");
  expect(formatAgo(T0, at(30 * 86_400_000))).toMatch(/^\d{4}-\d\d-\d\d$/);
});

test("clock and date", () => {
  const time = fromIso("2026-03-09T14:03:07.1234567Z");
  if (time === undefined) throw new Error("no time");
  expect(formatClock(time)).toBe("14:03:07.123");
  expect(formatDateTime(time)).toBe("2026-03-09 14:03:07");
  expect(formatDateTime(time, true)).toBe("2026-03-09 14:03:07.123");
});
