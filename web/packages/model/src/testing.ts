/** Makers of test data. */

import type { LogRecord, Span, TraceDetail, TraceSummary } from "./api.ts";
import { decodeLog, decodeSpan, decodeTrace } from "./decode.ts";
import { asNanos, fromMillis, type Nanos } from "./time.ts";

export const TRACE = "0af7651916cd43dd8448eb211c80319c";
export const T0 = fromMillis(1_750_000_000_000);

export function at(ms: number): Nanos {
  return asNanos(T0 + fromMillis(ms));
}

/** A span from `start` to `end` milliseconds after [[T0]]; without an end it runs. */
export function span(id: string, parent: string | null, start: number, end?: number, extra: Partial<Span> = {}): Span {
  const made = decodeSpan({
    trace_id: TRACE,
    span_id: id,
    parent_span_id: parent,
    name: `span ${id}`,
    project: "demo",
    start_ns: String(at(start)),
    end_ns: end === undefined ? null : String(at(end)),
  });
  if (made === undefined) throw new Error("not a span");
  return { ...made, ...extra };
}

export function log(spanId: string | null, ms: number, event: string, extra: Partial<LogRecord> = {}): LogRecord {
  const made = decodeLog({ trace_id: TRACE, span_id: spanId, ts: String(at(ms)), event });
  if (made === undefined) throw new Error("not a log record");
  return { ...made, ...extra };
}

export function trace(extra: Partial<TraceSummary> = {}): TraceSummary {
  const made = decodeTrace({ trace_id: TRACE, name: "agent", project: "demo", start_ts: String(T0) });
  if (made === undefined) throw new Error("not a trace");
  return { ...made, ...extra };
}

export function detail(spans: readonly Span[], logs: readonly LogRecord[] = []): TraceDetail {
  return { trace: trace(), spans, logs, unreadable: 0, skeleton: false };
}

export function spanMap(spans: readonly Span[]): Map<string, Span> {
  return new Map(spans.map((item) => [item.spanId, item]));
}
