/** The API's types as the viewer holds them: camel case, times as nanoseconds, absent as `null`. */

import type { Json, JsonObject } from "./json.ts";
import type { Nanos } from "./time.ts";

export const STATUSES = ["running", "ok", "error", "lost"] as const;
export type Status = (typeof STATUSES)[number];

export const KINDS = [
  "llm",
  "chain",
  "tool",
  "retriever",
  "embedding",
  "agent",
  "reranker",
  "guardrail",
  "evaluator",
  "prompt",
  "span",
] as const;
export type Kind = (typeof KINDS)[number];

export const LEVELS = ["debug", "info", "warning", "error"] as const;
export type Level = (typeof LEVELS)[number];

/** One line for one trace (`T`). */
export interface TraceSummary {
  readonly traceId: string;
  readonly name: string;
  readonly project: string;
  readonly sessionId: string | null;
  readonly start: Nanos | null;
  readonly end: Nanos | null;
  readonly durationMs: number | null;
  readonly status: Status;
  readonly spans: number;
  readonly events: number;
  readonly errors: number;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly cost: number | null;
}

export interface SpanError {
  readonly type: string;
  readonly message: string;
  readonly stacktrace: string;
}

export interface Code {
  readonly file: string;
  /** From 1; 0 where unknown. */
  readonly line: number;
  readonly function: string;
}

export interface SpanEvent {
  readonly time: Nanos | null;
  readonly name: string;
  readonly attributes: Json;
}

export interface SpanLink {
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: Json;
}

/** One span (`S`). */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | null;
  readonly name: string;
  readonly kind: Kind;
  readonly eventType: string | null;
  readonly status: Status;
  readonly error: SpanError | null;
  readonly start: Nanos;
  /** `null` while it runs, and where it was lost. */
  readonly end: Nanos | null;
  readonly project: string;
  readonly source: string | null;
  readonly service: string | null;
  readonly sessionId: string | null;
  readonly userId: string | null;
  readonly runId: string | null;
  readonly datasetId: string | null;
  readonly datapointId: string | null;
  readonly provider: string | null;
  readonly model: string | null;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  /** US dollars; `null` is unknown, never free. */
  readonly cost: number | null;
  /** How a price table came to the cost; `null` where the sender states it. */
  readonly costFormula: string | null;
  readonly inputs: Json;
  readonly outputs: Json;
  readonly metadata: Json;
  readonly metrics: Json;
  readonly feedback: Json;
  readonly config: Json;
  readonly userProperties: Json;
  readonly attributes: JsonObject;
  readonly code: Code | null;
  readonly events: readonly SpanEvent[];
  readonly links: readonly SpanLink[];
  /** It is a skeleton's: its contents are not known here. */
  readonly bare: boolean;
}

/** One log record (`L`). */
export interface LogRecord {
  /** Unique for each record; `null` where the server is older than these. */
  readonly id: string | null;
  readonly traceId: string | null;
  readonly spanId: string | null;
  readonly time: Nanos;
  readonly event: string;
  readonly level: Level;
  readonly logger: string | null;
  readonly code: Code | null;
  readonly attrs: Json;
}

/** `GET /api/trace/{trace_id}`. */
export interface TraceDetail {
  readonly trace: TraceSummary;
  readonly spans: readonly Span[];
  readonly logs: readonly LogRecord[];
  /** How many records of the answer could not be read, and were left out. */
  readonly unreadable: number;
  /** Whether it is only the tree: spans without contents, no log records. */
  readonly skeleton: boolean;
}

/** `GET /api/traces`. */
export interface TracePage {
  readonly traces: readonly TraceSummary[];
  readonly next: string | null;
}

/** The body of every answer that is not a success. */
export interface ApiError {
  readonly kind: string;
  readonly message: string;
  readonly hint: string | null;
}
