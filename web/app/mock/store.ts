/** The mock's memory: traces by id, and what listens to them. Speaks the API's JSON, as the server would. */

export type Fields = Record<string, unknown>;

export interface MockSpan extends Fields {
  trace_id: string;
  span_id: string;
  parent_span_id: string | null;
  name: string;
  start_ns: string;
  end_ns: string | null;
  status: string;
}

export interface MockLog extends Fields {
  id: string;
  trace_id: string | null;
  span_id: string | null;
  ts: string;
  event: string;
}

interface MockTrace {
  readonly id: string;
  readonly project: string;
  readonly spans: Map<string, MockSpan>;
  readonly logs: MockLog[];
}

/** Members of a span that are no contents. */
const BONE = [
  "span_id",
  "parent_span_id",
  "name",
  "kind",
  "event_type",
  "status",
  "start_ns",
  "end_ns",
  "provider",
  "model",
  "input_tokens",
  "output_tokens",
  "cost",
  "depth",
  "has_children",
];

export type Listener = (name: string, data: Fields) => void;

function sum(spans: readonly MockSpan[], key: string): number | null {
  const values = spans.map((span) => span[key]).filter((value) => typeof value === "number");
  return values.length === 0 ? null : values.reduce((a, b) => a + b, 0);
}

function iso(ns: bigint): string {
  return `${new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19)}.${String(ns % 1_000_000_000n).padStart(9, "0")}Z`;
}

export class MockStore {
  readonly traces = new Map<string, MockTrace>();
  private readonly listeners = new Set<Listener>();

  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private tell(name: string, data: Fields): void {
    for (const listener of this.listeners) listener(name, data);
  }

  private trace(id: string, project: string): MockTrace {
    let trace = this.traces.get(id);
    if (trace === undefined) {
      trace = { id, project, spans: new Map(), logs: [] };
      this.traces.set(id, trace);
    }
    return trace;
  }

  /** Adds or replaces spans; the trace's line is told once. */
  put(...spans: MockSpan[]): void {
    for (const span of spans) {
      this.trace(span.trace_id, String(span["project"] ?? "default")).spans.set(span.span_id, span);
      this.tell(span.end_ns === null ? "span.started" : "span.ended", span);
    }
    for (const id of new Set(spans.map((span) => span.trace_id))) this.tell("trace.updated", this.summary(id));
  }

  log(log: MockLog): void {
    if (log.trace_id === null) return;
    this.trace(log.trace_id, "default").logs.push(log);
    this.tell("log", log);
  }

  summary(id: string): Fields {
    const trace = this.traces.get(id);
    const spans = [...(trace?.spans.values() ?? [])];
    const root = spans.find((span) => span.parent_span_id === null) ?? spans[0];
    const starts = spans.map((span) => BigInt(span.start_ns)).sort((a, b) => (a < b ? -1 : 1));
    const ends = spans.map((span) => BigInt(span.end_ns ?? 0)).sort((a, b) => (a < b ? 1 : -1));
    const running = spans.some((span) => span.status === "running");
    const lost = spans.some((span) => span.status === "lost");
    const start = starts[0] ?? 0n;
    const end = running || lost ? null : (ends[0] ?? null);
    return {
      trace_id: id,
      name: root?.name ?? "",
      project: trace?.project ?? "default",
      session_id: root?.["session_id"] ?? null,
      start_ts: iso(start),
      end_ts: end === null ? null : iso(end),
      duration_ms: end === null ? null : Number(end - start) / 1e6,
      status: running ? "running" : lost ? "lost" : root?.status === "error" ? "error" : "ok",
      spans: spans.length,
      events: trace?.logs.length ?? 0,
      errors: spans.filter((span) => span.status === "error").length,
      input_tokens: sum(spans, "input_tokens"),
      output_tokens: sum(spans, "output_tokens"),
      cost: sum(spans, "cost"),
    };
  }

  /** Spans in the order of the tree: parents first, siblings by start. */
  detail(id: string): Fields | undefined {
    const trace = this.traces.get(id);
    if (trace === undefined) return undefined;
    const children = new Map<string | null, MockSpan[]>();
    for (const span of trace.spans.values()) {
      const parent = span.parent_span_id !== null && trace.spans.has(span.parent_span_id) ? span.parent_span_id : null;
      children.set(parent, [...(children.get(parent) ?? []), span]);
    }
    const spans: Fields[] = [];
    const stack = (parent: string | null): MockSpan[] =>
      (children.get(parent) ?? []).sort((a, b) => (BigInt(a.start_ns) < BigInt(b.start_ns) ? 1 : -1));
    const open = stack(null).map((span) => ({ span, depth: 0 }));
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const { span, depth } = next;
      const below = stack(span.span_id);
      spans.push({ ...span, depth, has_children: below.length > 0 });
      open.push(...below.map((child) => ({ span: child, depth: depth + 1 })));
    }
    return { trace: this.summary(id), spans, logs: trace.logs };
  }

  /** The same without contents. */
  skeleton(id: string): Fields | undefined {
    const detail = this.detail(id);
    if (detail === undefined) return undefined;
    const bone = (span: Fields): Fields =>
      Object.fromEntries(BONE.filter((key) => span[key] !== undefined).map((key) => [key, span[key]]));
    return { trace: detail["trace"], spans: (detail["spans"] as Fields[]).map(bone) };
  }

  projects(): string[] {
    return [...new Set([...this.traces.values()].map((trace) => trace.project))].sort();
  }

  list(query: URLSearchParams): Fields {
    const limit = Number(query.get("limit") ?? 50);
    const offset = Number(query.get("cursor") ?? 0);
    const words = (query.get("q") ?? "").toLowerCase();
    const all = [...this.traces.keys()]
      .map((id) => this.summary(id))
      .filter((trace) => !query.get("project") || trace["project"] === query.get("project"))
      .filter((trace) => !query.get("session_id") || trace["session_id"] === query.get("session_id"))
      .filter((trace) => !query.get("status") || trace["status"] === query.get("status"))
      .filter((trace) => JSON.stringify(trace).toLowerCase().includes(words))
      .sort((a, b) => (String(a["start_ts"]) < String(b["start_ts"]) ? 1 : -1));
    const next = offset + limit < all.length ? String(offset + limit) : null;
    return { traces: all.slice(offset, offset + limit), next };
  }
}
