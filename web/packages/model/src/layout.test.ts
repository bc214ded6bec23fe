import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bar, extent, growingRange, pan, position, range, shownEnd, ticks, timeAt, zoom } from "./layout.ts";
import { at, log, span, spanMap, T0 } from "./testing.ts";
import { millisBetween } from "./time.ts";

describe("extent", () => {
  test("spans and logs, to now only while something runs", () => {
    const ended = spanMap([span("a", null, 10, 20), span("b", "a", 12, 40)]);
    expect(extent(ended, [log(null, 50, "x")], at(1000))).toEqual({ from: at(10), to: at(50), running: false });
    const running = spanMap([span("a", null, 10)]);
    expect(extent(running, [], at(1000))).toEqual({ from: at(10), to: at(1000), running: true });
  });

  test("a clock that is behind never makes a bar end before it starts", () => {
    const running = spanMap([span("a", null, 10)]);
    const whole = extent(running, [], at(-500));
    expect(whole && whole.to > whole.from).toBe(true);
    expect(shownEnd(span("a", null, 10), at(-500))).toBe(at(10));
  });

  test("a lost span does not grow", () => {
    expect(extent(spanMap([span("a", null, 0, undefined, { status: "lost" })]), [], at(1000))?.running).toBe(false);
    expect(shownEnd(span("a", null, 0, undefined, { status: "lost" }), at(1000))).toBe(at(0));
  });

  test("nothing has none", () => {
    expect(extent(new Map(), [], T0)).toBeUndefined();
  });
});

const ms = fc.double({ min: 0, max: 1e8, noNaN: true });

describe("laws", () => {
  test("bars stand within the range that holds them", () => {
    fc.assert(
      fc.property(ms, ms, ms, (a, b, c) => {
        const [from, mid, to] = [a, b, c].sort((x, y) => x - y) as [number, number, number];
        const view = range(at(from), at(to));
        const drawn = bar(at(from), at(mid), view);
        expect(drawn.left).toBeCloseTo(0, 6);
        expect(drawn.width).toBeGreaterThanOrEqual(0);
        expect(drawn.width).toBeLessThanOrEqual(1 + 1e-9);
        expect(drawn.hidden).toBe(false);
      }),
    );
  });

  test("position and timeAt are each other's inverse", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 1000, max: 1e7 }),
        (fraction, length) => {
          const view = range(T0, at(length));
          expect(position(timeAt(fraction, view), view)).toBeCloseTo(fraction, 5);
        },
      ),
    );
  });

  test("zooming and panning stay within bounds, and zooming keeps the moment under the pointer", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.05, max: 3, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: -2, max: 2, noNaN: true }),
        (factor, anchor, move) => {
          const bounds = range(T0, at(60_000));
          const view = range(at(20_000), at(40_000));
          for (const next of [zoom(view, factor, anchor, bounds), pan(view, move, bounds)]) {
            expect(next.from >= bounds.from).toBe(true);
            expect(millisBetween(next.to, bounds.to)).toBeGreaterThan(-0.01);
          }
          const zoomed = zoom(view, Math.min(factor, 1), anchor, bounds);
          expect(millisBetween(timeAt(anchor, view), timeAt(anchor, zoomed))).toBeCloseTo(0, 1);
        },
      ),
    );
  });

  test("a growing range holds the trace, wastes at most 35 %, and stands still most of the time", () => {
    fc.assert(
      fc.property(fc.double({ min: 200, max: 1e7, noNaN: true }), (elapsed) => {
        const grown = millisBetween(T0, growingRange(T0, at(elapsed)).to);
        expect(grown).toBeGreaterThanOrEqual(elapsed * 1.03);
        expect(grown).toBeLessThanOrEqual(elapsed * 1.35);
      }),
    );
    const ends = new Set(Array.from({ length: 100 }, (_, i) => growingRange(T0, at(10_000 + i * 100)).to));
    expect(ends.size).toBeLessThanOrEqual(5);
  });

  test("ticks are in range, apart, and not too many", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.001, max: 1e8, noNaN: true }),
        fc.integer({ min: 160, max: 4000 }),
        (length, box) => {
          const marks = ticks(range(T0, at(length)), T0, box, 80);
          expect(marks.length).toBeLessThanOrEqual(box / 80 + 2);
          for (const [i, mark] of marks.entries()) {
            expect(mark.at).toBeGreaterThanOrEqual(-1e-9);
            expect(mark.at).toBeLessThanOrEqual(1 + 1e-6);
            const before = marks[i - 1];
            if (before) expect((mark.at - before.at) * box).toBeGreaterThanOrEqual(79);
          }
        },
      ),
    );
  });
});

test("ticks count from the trace's start, also when zoomed in", () => {
  const marks = ticks(range(at(1000), at(2000)), T0, 500, 100);
  expect(marks.map((mark) => mark.ms)).toEqual(
    [1000, 1200, 1400, 1600, 1800, 2000].filter((_, i) => marks[i] !== undefined),
  );
});

test("a bar outside the range is hidden, one across it is not", () => {
  const view = range(at(100), at(200));
  expect(bar(at(0), at(50), view).hidden).toBe(true);
  expect(bar(at(250), at(300), view).hidden).toBe(true);
  expect(bar(at(0), at(300), view)).toEqual({ left: -1, width: 3, hidden: false });
});
