/** Time. One representation everywhere: nanoseconds since 1970 as a branded bigint; a double rounds them. */

declare const nanos: unique symbol;
/** Nanoseconds since 1970-01-01T00:00:00Z, or a difference of two such. */
export type Nanos = bigint & { readonly [nanos]: true };

export function asNanos(value: bigint): Nanos {
  return value as Nanos;
}

/** From milliseconds since 1970, as clocks and dates give them. */
export function fromMillis(ms: number): Nanos {
  const whole = Math.trunc(ms);
  return asNanos(BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6)));
}

/** Milliseconds as a double: exact enough to format, or to draw a difference. */
export function toMillis(time: Nanos): number {
  return Number(time / 1_000_000n) + Number(time % 1_000_000n) / 1e6;
}

/** The difference in milliseconds, exact to the nanosecond for spans of time up to a hundred days. */
export function millisBetween(from: Nanos, to: Nanos): number {
  return toMillis(asNanos(to - from));
}

export function maxTime(a: Nanos, b: Nanos): Nanos {
  return a > b ? a : b;
}

export function minTime(a: Nanos, b: Nanos): Nanos {
  return a < b ? a : b;
}

const ISO = /^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:?\d\d)?$/i;

/** From RFC 3339 text, keeping all nine digits of the fraction; no zone means UTC. `undefined` where it is none. */
export function fromIso(text: string): Nanos | undefined {
  const match = ISO.exec(text);
  if (match === null) return undefined;
  const [, seconds = "", fraction = "", zone = "Z"] = match;
  const ms = Date.parse(`${seconds.replace(" ", "T")}${zone.toUpperCase()}`);
  if (Number.isNaN(ms)) return undefined;
  return asNanos(BigInt(ms) * 1_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, "0")));
}

/** From what the API may send for a time: digits (nanoseconds) in a string, or RFC 3339 text. */
export function parseTime(value: unknown): Nanos | undefined {
  if (typeof value !== "string") return undefined;
  return /^-?\d{1,20}$/.test(value) ? asNanos(BigInt(value)) : fromIso(value);
}
