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
import { isObject, type Json, type JsonObject, RawNumber } from "./json.ts";
import { millisBetween, parseTime } from "./time.ts";

const NOTHING: JsonObject = Object.freeze(Object.create(null)) as JsonObject;

/**
 * The object to read fields from. Fields are read by plain index, which is fast and here safe: their names are ours,
 * and none is one that every object has.
 */
function record(value: unknown): JsonObject {
  return isObject(value) ? value : NOTHING;
}

/** Text of a field; `null` where it is absent, empty or no text. */
function text(from: JsonObject, key: string): string | null {
  const item = from[key];
  return typeof item === "string" && item !== "" ? item : null;
}

/** A number, which the API sends as one or, where 64 bits wide, as a string. */
function number(from: JsonObject, key: string): number | null {
  const item = from[key];
  if (typeof item === "number") return item;
  const digits = typeof item === "string" ? item.trim() : item instanceof RawNumber ? item.text : "";
  const result = digits === "" ? Number.NaN : Number(digits);
  return Number.isFinite(result) ? result : null;
}

function count(from: JsonObject, key: string): number {
  return Math.max(0, number(from, key) ?? 0);
}

function word<W extends string>(words: readonly W[], value: unknown, fallback: W): W {
  return words.find((item) => item === value) ?? fallback;
}

function list<T>(value: Json | undefined, decode: (item: Json) => T | undefined): { items: T[]; unreadable: number } {
  if (!Array.isArray(value)) return { items: [], unreadable: 0 };
  const items = value.map(decode).filter((item) => item !== undefined);
  return { items, unreadable: value.length - items.length };
}

export function decodeTrace(json: unknown): TraceSummary | undefined {
  const value = record(json);
  const traceId = text(value, "trace_id");
  if (traceId === null) return undefined;
  const start = parseTime(value["start_ts"]) ?? null;
  const end = parseTime(value["end_ts"]) ?? null;
  const elapsed = start !== null && end !== null ? millisBetween(start, end) : null;
  return {
    traceId,
    name: text(value, "name") ?? "",
    project: text(value, "project") ?? "default",
    sessionId: text(value, "session_id"),
    start,
    end,
    durationMs: number(value, "duration_ms") ?? elapsed,
    status: word<Status>(STATUSES, value["status"], end === null ? "running" : "ok"),
    spans: count(value, "spans"),
    events: count(value, "events"),
    errors: count(value, "errors"),
    inputTokens: number(value, "input_tokens"),
    outputTokens: number(value, "output_tokens"),
    cost: number(value, "cost"),
  };
}

function decodeError(json: Json | undefined): SpanError | null {
  const value = record(json);
  if (typeof json === "string" && json !== "") return { type: "", message: json, stacktrace: "" };
  if (!isObject(json)) return null;
  return {
    type: text(value, "type") ?? "",
    message: text(value, "message") ?? "",
    stacktrace: text(value, "stacktrace") ?? "",
  };
}

function decodeCode(json: Json | undefined): Code | null {
  const value = record(json);
  const file = text(value, "file");
  const name = text(value, "function");
  if (file === null && name === null) return null;
  return { file: file ?? "", line: Math.trunc(count(value, "line")), function: name ?? "" };
}

function decodeEvent(json: Json): SpanEvent | undefined {
  const value = record(json);
  if (!isObject(json)) return undefined;
  return {
    time: parseTime(value["time_ns"] ?? value["time"] ?? value["ts"]) ?? null,
    name: text(value, "name") ?? "event",
    attributes: value["attributes"] ?? value["attrs"] ?? {},
  };
}

function decodeLink(json: Json): SpanLink | undefined {
  const value = record(json);
  const traceId = text(value, "trace_id");
  if (traceId === null) return undefined;
  return { traceId, spanId: text(value, "span_id") ?? "", attributes: value["attributes"] ?? {} };
}

export function decodeSpan(json: unknown): Span | undefined {
  const value = record(json);
  const traceId = text(value, "trace_id");
  const spanId = text(value, "span_id");
  const start = parseTime(value["start_ns"]);
  if (traceId === null || spanId === null || start === undefined) return undefined;
  const end = parseTime(value["end_ns"]) ?? null;
  const attributes = value["attributes"];
  return {
    traceId,
    spanId,
    parentId: text(value, "parent_span_id"),
    name: text(value, "name") ?? "",
    kind: word<Kind>(KINDS, value["kind"], "span"),
    eventType: text(value, "event_type"),
    status: word<Status>(STATUSES, value["status"], end === null ? "running" : "ok"),
    error: decodeError(value["error"]),
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
    costFormula: text(value, "cost_formula"),
    inputs: value["inputs"] ?? null,
    outputs: value["outputs"] ?? null,
    metadata: value["metadata"] ?? null,
    metrics: value["metrics"] ?? null,
    feedback: value["feedback"] ?? null,
    config: value["config"] ?? null,
    userProperties: value["user_properties"] ?? null,
    attributes: isObject(attributes) ? attributes : ({} as JsonObject),
    code: decodeCode(value["code"]),
    events: list(value["events"], decodeEvent).items,
    links: list(value["links"], decodeLink).items,
    bare: false,
  };
}

const NO_ATTRIBUTES: JsonObject = Object.freeze({});
const NO_LIST: readonly never[] = Object.freeze([]);

/** One span of a skeleton: what stands in the tree, and nothing that is not known of it. */
function decodeBone(json: Json, trace: TraceSummary): Span | undefined {
  const value = record(json);
  const spanId = text(value, "span_id");
  const start = parseTime(value["start_ns"]);
  if (spanId === null || start === undefined) return undefined;
  const end = parseTime(value["end_ns"]) ?? null;
  return {
    traceId: trace.traceId,
    spanId,
    parentId: text(value, "parent_span_id"),
    name: text(value, "name") ?? "",
    kind: word<Kind>(KINDS, value["kind"], "span"),
    eventType: text(value, "event_type"),
    status: word<Status>(STATUSES, value["status"], end === null ? "running" : "ok"),
    error: null,
    start,
    end,
    project: trace.project,
    source: null,
    service: null,
    sessionId: null,
    userId: null,
    runId: null,
    datasetId: null,
    datapointId: null,
    provider: text(value, "provider"),
    model: text(value, "model"),
    inputTokens: number(value, "input_tokens"),
    outputTokens: number(value, "output_tokens"),
    cost: number(value, "cost"),
    costFormula: null,
    inputs: null,
    outputs: null,
    metadata: null,
    metrics: null,
    feedback: null,
    config: null,
    userProperties: null,
    attributes: NO_ATTRIBUTES,
    code: null,
    events: NO_LIST,
    links: NO_LIST,
    bare: true,
  };
}

export function decodeLog(json: unknown): LogRecord | undefined {
  const value = record(json);
  const time = parseTime(value["ts"]);
  if (time === undefined) return undefined;
  return {
    id: text(value, "id"),
    traceId: text(value, "trace_id"),
    spanId: text(value, "span_id"),
    time,
    event: text(value, "event") ?? "",
    level: word<Level>(LEVELS, value["level"], "info"),
    logger: text(value, "logger"),
    code: decodeCode(value["code"]),
    attrs: value["attrs"] ?? {},
  };
}

/** `undefined` where the answer holds no trace at all. */
export function decodeTraceDetail(json: unknown): TraceDetail | undefined {
  const value = record(json);
  const trace = decodeTrace(value["trace"]);
  if (trace === undefined) return undefined;
  const spans = list(value["spans"], decodeSpan);
  const logs = list(value["logs"], decodeLog);
  const unreadable = spans.unreadable + logs.unreadable;
  return { trace, spans: spans.items, logs: logs.items, unreadable, skeleton: false };
}

/** `GET /api/trace/{trace_id}/skeleton`; `undefined` where the answer holds no trace at all. */
export function decodeSkeleton(json: unknown): TraceDetail | undefined {
  const value = record(json);
  const trace = decodeTrace(value["trace"]);
  if (trace === undefined) return undefined;
  const spans = list(value["spans"], (span) => decodeBone(span, trace));
  return { trace, spans: spans.items, logs: [], unreadable: spans.unreadable, skeleton: true };
}

export function decodeTracePage(json: unknown): TracePage | undefined {
  const value = record(json);
  if (!Array.isArray(value["traces"])) return undefined;
  return { traces: list(value["traces"], decodeTrace).items, next: text(value, "next") };
}

/** `GET /api/projects`. */
export function decodeProjects(json: unknown): string[] {
  const value = record(json);
  return list(value["projects"], (name) => (typeof name === "string" ? name : undefined)).items;
}

/** The error in the body of an answer; `undefined` where there is none, as from a proxy. */
export function decodeApiError(json: unknown): ApiError | undefined {
  const value = record(json);
  const error = record(value["error"]);
  const message = text(error, "message");
  if (message === null) return undefined;
  return { kind: text(error, "kind") ?? "error", message, hint: text(error, "hint") };
}
