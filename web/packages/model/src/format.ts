/** Text for figures: short, of stable width, never rounded to a lie such as `0 ms` for what took some time. */

import { millisBetween, type Nanos, toMillis } from "./time.ts";

/** Three significant digits below a minute, then two units: `840 µs`, `1.24 s`, `3m 05s`, `2h 10m`, `4d 3h`. */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) return "–";
  if (ms < 0) return `−${formatDuration(-ms)}`;
  if (ms === 0) return "0 ms";
  if (ms < 0.001) return `${Math.max(1, Math.round(ms * 1e6))} ns`;
  if (ms < 0.9995) return `${digits(ms * 1000)} µs`;
  if (ms < 999.5) return `${digits(ms)} ms`;
  if (ms < 59_995) return `${digits(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${pad(seconds % 60)}s`;
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1440) return `${Math.floor(minutes / 60)}h ${pad(minutes % 60)}m`;
  const hours = Math.round(ms / 3_600_000);
  return `${Math.floor(hours / 24)}d ${hours % 24}h`;
}

/** As [[formatDuration]], but with one steady decimal while it counts: `0.3 s`, `12.4 s`, `3m 05s`. */
export function formatRunning(ms: number): string {
  const shown = Math.max(0, ms);
  if (shown >= 59_950) return formatDuration(Math.floor(shown / 1000) * 1000);
  return `${(Math.floor(shown / 100) / 10).toFixed(1)} s`;
}

function digits(value: number): string {
  if (value < 9.995) return value.toFixed(2).replace(/\.?0+$/, "");
  if (value < 99.95) return value.toFixed(1).replace(/\.0$/, "");
  return value.toFixed(0);
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}

/** A tick's label, with the digits that tell it from its neighbours `step` away. */
export function formatTick(ms: number, step: number): string {
  if (Math.abs(ms) < step * 1e-6) return "0";
  const [unit, size] =
    step >= 60_000
      ? (["m", 60_000] as const)
      : step >= 100
        ? (["s", 1000] as const)
        : step >= 0.1
          ? (["ms", 1] as const)
          : (["µs", 0.001] as const);
  const places = Math.max(0, Math.min(6, -Math.floor(Math.log10(step / size) + 1e-9)));
  const exact =
    Math.abs((step / size) * 10 ** places - Math.round((step / size) * 10 ** places)) > 1e-6 ? places + 1 : places;
  return `${(ms / size).toFixed(exact)} ${unit}`;
}

/** With thin spaces between thousands: `12 408`. */
export function formatCount(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

/** Tokens in little room: `842`, `12.4k`, `1.2M`. */
export function formatTokens(value: number): string {
  if (value < 1000) return String(Math.round(value));
  for (const [size, unit] of [
    [1e3, "k"],
    [1e6, "M"],
    [1e9, "G"],
  ] as const) {
    const scaled = value / size;
    if (scaled < 999.5 || unit === "G")
      return `${scaled < 99.95 ? scaled.toFixed(1).replace(/\.0$/, "") : scaled.toFixed(0)}${unit}`;
  }
  return String(value);
}

/** US dollars; small ones keep two significant digits: `$0`, `$0.00042`, `$0.083`, `$1.20`, `$1 204`. */
export function formatCost(value: number): string {
  if (value === 0) return "$0";
  if (value < 0) return `−${formatCost(-value)}`;
  if (value < 1e-6) return "<$0.000001";
  if (value < 1) return `$${value.toFixed(Math.min(8, 1 - Math.floor(Math.log10(value))))}`;
  return value < 1000 ? `$${value.toFixed(2)}` : `$${formatCount(value)}`;
}

/** How long ago: `now`, `42s ago`, `5m ago`, `3h ago`, `2d ago`, then the date. */
export function formatAgo(time: Nanos, now: Nanos): string {
  const seconds = Math.floor(millisBetween(time, now) / 1000);
  if (seconds < 3) return "now";
  if (seconds < 60) return `${seconds}s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h ago`;
  if (seconds < 7 * 86_400) return `${Math.floor(seconds / 86_400)}d ago`;
  return formatDate(time);
}

function local(time: Nanos): { date: string; clock: string; ms: string } {
  const date = new Date(Math.floor(toMillis(time)));
  if (Number.isNaN(date.getTime())) return { date: "–", clock: "–", ms: "000" };
  return {
    date: `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`,
    clock: `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`,
    ms: String(date.getMilliseconds()).padStart(3, "0"),
  };
}

/** Local date: `2026-03-09`. */
export function formatDate(time: Nanos): string {
  return local(time).date;
}

/** Local time of the day with milliseconds: `14:03:07.120`. */
export function formatClock(time: Nanos): string {
  const { clock, ms } = local(time);
  return `${clock}.${ms}`;
}

/** Local date and time: `2026-03-09 14:03:07`, with milliseconds where asked. */
export function formatDateTime(time: Nanos, millis = false): string {
  const { date, clock, ms } = local(time);
  return millis ? `${date} ${clock}.${ms}` : `${date} ${clock}`;
}

/** `1 span`, `2 spans`. */
export function plural(value: number, noun: string): string {
  return `${formatCount(value)} ${noun}${value === 1 ? "" : "s"}`;
}
