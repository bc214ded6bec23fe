/**
 * Decodes the API's answers. Tolerant: a field of the wrong type counts as absent, and a record without its identity
 * is left out and counted, so one bad record never costs the page.
 */

import type {
  ApiError,
  Code,
  Kind,
  Level,
  LogRecord,
  Span,
  SpanError,
  SpanEvent,
  SpanLink,
  Status,
  TraceDetail,
  TracePage,
  TraceSummary,
} from "./api.ts";
import { KINDS, LEVELS, STATUSES } from "./api.ts";
import { field, isObject, type Json, type JsonObject, RawNumber } from "./json.ts";
import { millisBetween, parseTime } from "./time.ts";

/** Text of a field; `null` where it is absent, empty or no text. */
function text(value: unknown, key: string): string | null {
  const item = field(value, key);
  return typeof item === "string" && item !== "" ? item : null;
}

/** A number, which the API sends as one or, where 64 bits wide, as a string. */
function number(value: unknown, key: string): number | null {
  const item = field(value, key);
  const result =
    typeof item === "number"
      ? item
      : typeof item === "string" && item.trim() !== ""
        ? Number(item)
        : item instanceof RawNumber
          ? Number(item.text)
          : NaN;
  return Number.isFinite(result) ? result : null;
}

function count(value: unknown, key: string): number {
  return Math.max(0, number(value, key) ?? 0);
}

function word<W extends string>(words: readonly W[], value: unknown, fallback: W): W {
  return words.find((item) => item === value) ?? fallback;
}

function list<T>(value: Json | undefined, decode: (item: Json) => T | undefined): { items: T[]; unreadable: number } {
  if (!Array.isArray(value)) return { items: [], unreadable: 0 };
  const items = value.map(decode).filter((item) => item !== undefined);
  return { items, unreadable: value.length - items.length };
}

export function decodeTrace(value: unknown): TraceSummary | undefined {
  const traceId = text(value, "trace_id");
  if (traceId === null) return undefined;
  const start = parseTime(field(value, "start_ts")) ?? null;
  const end = parseTime(field(value, "end_ts")) ?? null;
  const elapsed = start !== null && end !== null ? millisBetween(start, end) : null;
  return {
    traceId,
    name: text(value, "name") ?? "",
    project: text(value, "project") ?? "default",
    sessionId: text(value, "session_id"),
    start,
    end,
    durationMs: number(value, "duration_ms") ?? elapsed,
    status: word<Status>(STATUSES, field(value, "status"), end === null ? "running" : "ok"),
    spans: count(value, "spans"),
    events: count(value, "events"),
    errors: count(value, "errors"),
    inputTokens: number(value, "input_tokens"),
    outputTokens: number(value, "output_tokens"),
    cost: number(value, "cost"),
  };
}

function decodeError(value: Json | undefined): SpanError | null {
  if (typeof value === "string" && value !== "") return { type: "", message: value, stacktrace: "" };
  if (!isObject(value)) return null;
  return {
    type: text(value, "type") ?? "",
    message: text(value, "message") ?? "",
    stacktrace: text(value, "stacktrace") ?? "",
  };
}

function decodeCode(value: Json | undefined): Code | null {
  const file = text(value, "file");
  const name = text(value, "function");
  if (file === null && name === null) return null;
  return { file: file ?? "", line: Math.trunc(count(value, "line")), function: name ?? "" };
}

function decodeEvent(value: Json): SpanEvent | undefined {
  if (!isObject(value)) return undefined;
  return {
    time: parseTime(field(value, "time_ns") ?? field(value, "time") ?? field(value, "ts")) ?? null,
    name: text(value, "name") ?? "event",
    attributes: field(value, "attributes") ?? field(value, "attrs") ?? {},
  };
}

function decodeLink(value: Json): SpanLink | undefined {
  const traceId = text(value, "trace_id");
  if (traceId === null) return undefined;
  return { traceId, spanId: text(value, "span_id") ?? "", attributes: field(value, "attributes") ?? {} };
}

export function decodeSpan(value: unknown): Span | undefined {
  const traceId = text(value, "trace_id");
  const spanId = text(value, "span_id");
  const start = parseTime(field(value, "start_ns"));
  if (traceId === null || spanId === null || start === undefined) return undefined;
  const end = parseTime(field(value, "end_ns")) ?? null;
  const attributes = field(value, "attributes");
  return {
    traceId,
    spanId,
    parentId: text(value, "parent_span_id"),
    name: text(value, "name") ?? "",
    kind: word<Kind>(KINDS, field(value, "kind"), "span"),
    eventType: text(value, "event_type"),
    status: word<Status>(STATUSES, field(value, "status"), end === null ? "running" : "ok"),
    error: decodeError(field(value, "error")),
    start,
    end,
    project: text(value, "project") ?? "default",
    source: text(value, "source"),
    service: text(value, "service"),
    sessionId: text(value, "session_id"),
    userId: text(value, "user_id"),
    runId: text(value, "run_id"),
    datasetId: text(value, "dataset_id"),
    datapointId: text(value, "datapoint_id"),
    provider: text(value, "provider"),
    model: text(value, "model"),
    inputTokens: number(value, "input_tokens"),
    outputTokens: number(value, "output_tokens"),
    cost: number(value, "cost"),
    inputs: field(value, "inputs") ?? null,
    outputs: field(value, "outputs") ?? null,
    metadata: field(value, "metadata") ?? null,
    metrics: field(value, "metrics") ?? null,
    feedback: field(value, "feedback") ?? null,
    config: field(value, "config") ?? null,
    userProperties: field(value, "user_properties") ?? null,
    attributes: isObject(attributes) ? attributes : ({} as JsonObject),
    code: decodeCode(field(value, "code")),
    events: list(field(value, "events"), decodeEvent).items,
    links: list(field(value, "links"), decodeLink).items,
  };
}

export function decodeLog(value: unknown): LogRecord | undefined {
  const time = parseTime(field(value, "ts"));
  if (time === undefined) return undefined;
  return {
    id: text(value, "id"),
    traceId: text(value, "trace_id"),
    spanId: text(value, "span_id"),
    time,
    event: text(value, "event") ?? "",
    level: word<Level>(LEVELS, field(value, "level"), "info"),
    logger: text(value, "logger"),
    code: decodeCode(field(value, "code")),
    attrs: field(value, "attrs") ?? {},
  };
}

/** `undefined` where the answer holds no trace at all. */
export function decodeTraceDetail(value: unknown): TraceDetail | undefined {
  const trace = decodeTrace(field(value, "trace"));
  if (trace === undefined) return undefined;
  const spans = list(field(value, "spans"), decodeSpan);
  const logs = list(field(value, "logs"), decodeLog);
  return { trace, spans: spans.items, logs: logs.items, unreadable: spans.unreadable + logs.unreadable };
}

export function decodeTracePage(value: unknown): TracePage | undefined {
  if (!Array.isArray(field(value, "traces"))) return undefined;
  return { traces: list(field(value, "traces"), decodeTrace).items, next: text(value, "next") };
}

/** `GET /api/projects`. */
export function decodeProjects(value: unknown): string[] {
  return list(field(value, "projects"), (name) => (typeof name === "string" ? name : undefined)).items;
}

/** The error in the body of an answer; `undefined` where there is none, as from a proxy. */
export function decodeApiError(value: unknown): ApiError | undefined {
  const error = field(value, "error");
  const message = text(error, "message");
  if (message === null) return undefined;
  return { kind: text(error, "kind") ?? "error", message, hint: text(error, "hint") };
}
