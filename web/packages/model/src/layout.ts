/** Where bars and ticks of a timeline stand: fractions of the visible width, 0 to 1. No pixels of a real screen. */

import type { LogRecord, Span } from "./api.ts";
import { asNanos, fromMillis, maxTime, millisBetween, minTime, type Nanos, toMillis } from "./time.ts";
import type { SpanMap } from "./tree.ts";

/** A stretch of time, never empty. */
export interface Range {
  readonly from: Nanos;
  readonly to: Nanos;
}

const MIN_RANGE = 1_000n;

export function range(from: Nanos, to: Nanos): Range {
  return { from, to: to - from < MIN_RANGE ? asNanos(from + MIN_RANGE) : to };
}

/** From the first start to the last end; to `now` while something runs. `undefined` for nothing at all. */
export function extent(
  spans: SpanMap,
  logs: readonly LogRecord[],
  now: Nanos,
): (Range & { running: boolean }) | undefined {
  let from: Nanos | undefined;
  let to: Nanos | undefined;
  let running = false;
  const include = (start: Nanos, end: Nanos): void => {
    from = from === undefined ? start : minTime(from, start);
    to = to === undefined ? end : maxTime(to, end);
  };
  for (const span of spans.values()) {
    include(span.start, span.end ?? span.start);
    running ||= span.status === "running";
  }
  for (const log of logs) include(log.time, log.time);
  if (from === undefined || to === undefined) return undefined;
  if (running) to = maxTime(to, now);
  return { ...range(from, to), running };
}

// Steps of about a quarter: small enough to waste little width, large enough that the scale stands still for a while.
const STEPS = [1, 1.25, 1.6, 2, 2.5, 3.2, 4, 5, 6.4, 8, 10];

/**
 * The range to draw for a running trace. Its end runs ahead to the next of a few round durations, so that bars grow
 * against a scale that stands still, instead of everything shrinking a little all the time.
 */
export function growingRange(from: Nanos, to: Nanos): Range {
  const elapsed = Math.max(millisBetween(from, to) * 1.04, 100);
  const magnitude = 10 ** Math.floor(Math.log10(elapsed));
  const step = STEPS.find((factor) => factor * magnitude >= elapsed) ?? 10;
  return range(from, asNanos(from + fromMillis(step * magnitude)));
}

export interface Bar {
  /** Left edge; below 0 where it begins before the visible range. */
  readonly left: number;
  readonly width: number;
  /** Nothing of it is in the visible range. */
  readonly hidden: boolean;
}

/** Position of a moment in `view`. */
export function position(time: Nanos, view: Range): number {
  return millisBetween(view.from, time) / millisBetween(view.from, view.to);
}

/** The moment at `fraction` of `view`. */
export function timeAt(fraction: number, view: Range): Nanos {
  return asNanos(view.from + fromMillis(millisBetween(view.from, view.to) * fraction));
}

/** The end to draw: its own; `now` while it runs; of a lost span the last that is known of it. */
export function shownEnd(span: Span, now: Nanos): Nanos {
  if (span.end !== null) return maxTime(span.start, span.end);
  return span.status === "running" ? maxTime(span.start, now) : span.start;
}

export function bar(start: Nanos, end: Nanos, view: Range): Bar {
  const left = position(start, view);
  const right = position(end, view);
  return { left, width: Math.max(0, right - left), hidden: right < 0 || left > 1 };
}

export interface Tick {
  /** 0 to 1. */
  readonly at: number;
  /** Milliseconds since the start of the trace. */
  readonly ms: number;
}

/** Round ticks, at least `minGap` pixels apart on a width of `box` pixels. */
export function ticks(view: Range, origin: Nanos, box: number, minGap = 84): Tick[] {
  const length = millisBetween(view.from, view.to);
  const most = Math.max(1, Math.floor(box / minGap));
  const raw = length / most;
  const magnitude = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 2.5, 5, 10].find((factor) => factor * magnitude >= raw) ?? 10) * magnitude;
  const first = millisBetween(origin, view.from);
  const result: Tick[] = [];
  for (let i = Math.ceil(first / step - 1e-9); i * step <= first + length * (1 + 1e-9); i += 1) {
    result.push({ at: (i * step - first) / length, ms: i * step });
    if (result.length > most + 2) break;
  }
  return result;
}

/** `view` scaled by `factor` around the moment at `anchor` (0 to 1), kept within `bounds`. */
export function zoom(view: Range, factor: number, anchor: number, bounds: Range): Range {
  const whole = millisBetween(bounds.from, bounds.to);
  const length = Math.min(whole, Math.max(millisBetween(view.from, view.to) * factor, whole * 1e-7, 0.001));
  const at = toMillis(asNanos(timeAt(anchor, view) - bounds.from));
  return clampRange(at - length * anchor, length, bounds);
}

/** `view` moved by `fraction` of its own length, kept within `bounds`. */
export function pan(view: Range, fraction: number, bounds: Range): Range {
  const length = millisBetween(view.from, view.to);
  return clampRange(millisBetween(bounds.from, view.from) + length * fraction, length, bounds);
}

function clampRange(start: number, length: number, bounds: Range): Range {
  const whole = millisBetween(bounds.from, bounds.to);
  const from = Math.max(0, Math.min(start, whole - length));
  const begin = asNanos(bounds.from + fromMillis(from));
  return range(begin, asNanos(begin + fromMillis(length)));
}
