/**
 * A trace that changes while it is shown: what was read, and what the server's events say since. Applying an event
 * twice, or an older one after a newer one, changes nothing; so it is safe to listen first and to read second.
 */

import type { LogRecord, Span, TraceDetail, TraceSummary } from "./api.ts";
import { decodeLog, decodeSpan, decodeTrace } from "./decode.ts";
import { parseJson, stringify } from "./json.ts";
import { buildTree, type SpanMap, type Tree } from "./tree.ts";

/** An event of `GET /api/live`. */
export type LiveEvent =
  | { readonly type: "span"; readonly span: Span }
  | { readonly type: "log"; readonly log: LogRecord }
  | { readonly type: "trace"; readonly trace: TraceSummary }
  /** Something was missed that is not told again: read again. */
  | { readonly type: "reset" };

/** The names of server-sent events that [[decodeLiveEvent]] knows. */
export const LIVE_EVENT_NAMES = [
  "span.started",
  "span.updated",
  "span.lost",
  "span.ended",
  "log",
  "trace.updated",
  "reset",
] as const;

/** `undefined` for an event that is unknown or cannot be read: the next one, or the next reading, makes up for it. */
export function decodeLiveEvent(name: string, data: string): LiveEvent | undefined {
  if (name === "reset") return { type: "reset" };
  try {
    const value = parseJson(data);
    if (name.startsWith("span.")) {
      const span = decodeSpan(value);
      return span && { type: "span", span };
    }
    if (name === "log") {
      const log = decodeLog(value);
      return log && { type: "log", log };
    }
    if (name === "trace.updated") {
      const trace = decodeTrace(value);
      return trace && { type: "trace", trace };
    }
  } catch {
    return undefined;
  }
  return undefined;
}

/** A trace as shown. Immutable: a change makes a new one, which shares what did not change. */
export interface TraceState {
  readonly trace: TraceSummary;
  readonly spans: SpanMap;
  readonly tree: Tree;
  readonly logs: readonly LogRecord[];
  readonly unreadable: number;
  /** Only the tree was read: contents of spans are read one by one, log records are those told since. */
  readonly skeleton: boolean;
}

export function traceState(detail: TraceDetail): TraceState {
  const spans = new Map<string, Span>();
  for (const span of detail.spans) spans.set(span.spanId, later(spans.get(span.spanId), span));
  const { trace, logs, unreadable, skeleton } = detail;
  return { trace, spans, tree: buildTree(spans), logs, unreadable, skeleton };
}

/** How final a span is. An end outranks everything; being lost is only the server's guess about a running one. */
function rank(span: Span): number {
  return span.end !== null ? 2 : span.status === "lost" ? 1 : 0;
}

/** Of two reports of one span, the one to show. */
function later(old: Span | undefined, fresh: Span): Span {
  if (old === undefined || rank(fresh) > rank(old)) return fresh;
  // A lost span that is reported as running has been heard of again.
  if (rank(old) === 2 && rank(fresh) < 2) return old;
  return fresh;
}

function logKey(log: LogRecord): string {
  return log.id ?? `${log.time}|${log.spanId}|${log.level}|${log.event}|${stringify(log.attrs)}`;
}

/** Collects changes to a state, copying a part when it first changes. */
class Draft {
  private readonly state: TraceState;
  private trace: TraceSummary;
  private spans: Map<string, Span> | undefined;
  private logs: LogRecord[] | undefined;
  private knownLogs: Set<string> | undefined;
  private reshaped = false;

  constructor(state: TraceState) {
    this.state = state;
    this.trace = state.trace;
  }

  apply(event: LiveEvent): void {
    if (event.type === "span") this.span(event.span);
    else if (event.type === "log") this.log(event.log);
    else if (event.type === "trace" && traceKey(event.trace) === traceKey(this.trace)) this.trace = event.trace;
  }

  private span(span: Span): void {
    if (span.traceId !== this.trace.traceId || span.project !== this.trace.project) return;
    const old = (this.spans ?? this.state.spans).get(span.spanId);
    const fresh = later(old, span);
    if (fresh === old) return;
    this.spans ??= new Map(this.state.spans);
    this.spans.set(fresh.spanId, fresh);
    this.reshaped ||= old === undefined || old.parentId !== fresh.parentId || old.start !== fresh.start;
  }

  private log(log: LogRecord): void {
    if (log.traceId !== this.trace.traceId) return;
    this.knownLogs ??= new Set(this.state.logs.map(logKey));
    const key = logKey(log);
    if (this.knownLogs.has(key)) return;
    this.knownLogs.add(key);
    this.logs ??= [...this.state.logs];
    this.logs.push(log);
  }

  finish(): TraceState {
    const { state, trace, spans, logs } = this;
    if (trace === state.trace && spans === undefined && logs === undefined) return state;
    return {
      trace,
      spans: spans ?? state.spans,
      tree: this.reshaped && spans ? buildTree(spans) : state.tree,
      logs: logs ?? state.logs,
      unreadable: state.unreadable,
      skeleton: state.skeleton,
    };
  }
}

/** The state after `events`, in their order; events of other traces, and of other projects', are passed over. */
export function applyEvents(state: TraceState, events: readonly LiveEvent[]): TraceState {
  const draft = new Draft(state);
  for (const event of events) draft.apply(event);
  return draft.finish();
}

/** A state for a trace of which nothing is stored yet and the first event just came; `undefined` until one tells. */
export function stateFromEvents(traceId: string, events: readonly LiveEvent[]): TraceState | undefined {
  for (const event of events) {
    if (event.type === "trace" && event.trace.traceId === traceId) {
      return applyEvents(
        traceState({ trace: event.trace, spans: [], logs: [], unreadable: 0, skeleton: false }),
        events,
      );
    }
  }
  return undefined;
}

/** What tells traces apart: two projects may use the same id. */
export function traceKey(trace: TraceSummary): string {
  return `${trace.traceId} ${trace.project}`;
}

/** Of several reports of a trace the last, by [[traceKey]]. */
export function latestTraces(events: readonly LiveEvent[]): Map<string, TraceSummary> {
  const updates = new Map<string, TraceSummary>();
  for (const event of events) if (event.type === "trace") updates.set(traceKey(event.trace), event.trace);
  return updates;
}

/** What a list does with updated traces ([[latestTraces]]): replace one at its place, or tell of a new one. */
export function mergeTraces(
  shown: readonly TraceSummary[],
  updates: ReadonlyMap<string, TraceSummary>,
): { readonly traces: readonly TraceSummary[]; readonly fresh: readonly TraceSummary[] } {
  const seen = new Set<string>();
  let changed = false;
  const traces = shown.map((trace) => {
    const update = updates.get(traceKey(trace));
    if (update === undefined) return trace;
    seen.add(traceKey(trace));
    changed = true;
    return update;
  });
  const fresh = [...updates.values()].filter((trace) => !seen.has(traceKey(trace)));
  fresh.sort((a, b) => ((a.start ?? 0n) > (b.start ?? 0n) ? -1 : (a.start ?? 0n) < (b.start ?? 0n) ? 1 : 0));
  return { traces: changed ? traces : shown, fresh };
}

/**
 * `pages` with `trace` at its place by start, newest first. A trace older than all that is loaded has a place only
 * where the last page is the last there is (`complete`); otherwise it comes with a page to be read.
 */
export function insertTrace(
  pages: readonly (readonly TraceSummary[])[],
  trace: TraceSummary,
  complete: boolean,
): readonly (readonly TraceSummary[])[] {
  const start = trace.start ?? 0n;
  for (const [i, page] of pages.entries()) {
    const place = page.findIndex((other) => (other.start ?? 0n) <= start);
    if (place >= 0) return pages.with(i, page.toSpliced(place, 0, trace));
  }
  const last = pages.at(-1);
  return complete && last ? pages.with(-1, [...last, trace]) : pages;
}
