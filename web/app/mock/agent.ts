/** An agent at work: plan, retrieve, chat with tool calls, a failing tool, a sub-agent, the answer. */

import type { Fields, MockLog, MockSpan, MockStore } from "./store.ts";

/** One span of the script: times in milliseconds after the trace's start. */
interface Step {
  readonly id: string;
  readonly parent: string | null;
  readonly name: string;
  readonly kind: string;
  readonly from: number;
  readonly to: number;
  readonly more?: Fields;
}

export interface Script {
  readonly traceId: string;
  readonly startMs: number;
  readonly spans: readonly MockSpan[];
  readonly logs: readonly MockLog[];
}

const EVENT_TYPES: Record<string, string> = { llm: "model", agent: "chain", chain: "chain", prompt: "chain" };

/** Hex text of `length` digits that depends on `seed` alone. */
export function hex(seed: string, length: number): string {
  let hash = 0x811c9dc5;
  let text = "";
  for (let i = 0; text.length < length; i += 1) {
    for (const char of `${seed}/${i}`) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193) >>> 0;
    text += hash.toString(16).padStart(8, "0");
  }
  return text.slice(0, length);
}

const QUESTION =
  "My order 4711 has not arrived and the tracking page shows nothing. Can I get a refund or a replacement?";
const SYSTEM =
  "You are the support agent of Northwind Outdoor.\nUse the tools to look up orders and policies before you promise anything.\nAnswer in at most five sentences, friendly and exact.";
const CALL = {
  id: "call_Yk2p",
  type: "function",
  function: { name: "lookup_order", arguments: '{"order_id": 4711, "fields": ["status", "carrier", "eta"]}' },
};
const ORDER = {
  order_id: 4711,
  status: "in_transit",
  carrier: "PostNord",
  eta: "2026-03-12",
  items: [
    { sku: "TENT-2P-GRN", qty: 1, price: 249.0 },
    { sku: "MAT-XL", qty: 2, price: 59.5 },
  ],
  internal_ref: "9007199254740993",
};
const ANSWER =
  "Your order 4711 is with PostNord and was scanned in Malmö this morning; it should arrive on 12 March. The tracking page was down overnight, which is why it showed nothing. If it has not arrived by the 14th, reply here and I will send a replacement the same day. A refund is possible as well, at any time before delivery.";
const STACK = `Traceback (most recent call last):
  File "support/tools.py", line 88, in carrier_status
    response = session.get(url, timeout=2.0)
  File "requests/sessions.py", line 602, in get
    return self.request("GET", url, **kwargs)
  File "requests/adapters.py", line 713, in send
    raise ReadTimeout(e, request=request)
requests.exceptions.ReadTimeout: HTTPSConnectionPool(host='api.postnord.example', port=443): Read timed out. (read timeout=2.0)`;

function chat(
  id: string,
  parent: string,
  from: number,
  to: number,
  inputs: Fields,
  outputs: Fields,
  tokens: [number, number],
): Step {
  return {
    id,
    parent,
    name: "chat gpt-5-mini",
    kind: "llm",
    from,
    to,
    more: {
      provider: "openai",
      model: "gpt-5-mini-2026-01",
      input_tokens: tokens[0],
      output_tokens: tokens[1],
      cost: tokens[0] * 2.5e-7 + tokens[1] * 2e-6,
      inputs,
      outputs,
      attributes: {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5-mini",
        "gen_ai.request.temperature": 0.2,
        "gen_ai.response.finish_reasons": ["stop"],
        "server.address": "api.openai.com",
      },
    },
  };
}

const MESSAGES = [
  { role: "system", content: SYSTEM },
  { role: "user", content: QUESTION },
];

const STEPS: readonly Step[] = [
  {
    id: "root",
    parent: null,
    name: "support_agent",
    kind: "agent",
    from: 0,
    to: 8_200,
    more: {
      inputs: { question: QUESTION, customer: "c-2291" },
      outputs: ANSWER,
      metadata: { release: "2026.3.1", channel: "chat", tags: ["refund", "shipping"] },
      metrics: { helpfulness: 0.92, steps: 7 },
      feedback: { rating: 5 },
      code: { file: "support/agent.py", line: 41, function: "support_agent" },
    },
  },
  {
    id: "plan",
    parent: "root",
    name: "plan",
    kind: "chain",
    from: 12,
    to: 1_310,
    more: {
      inputs: { question: QUESTION },
      outputs: { steps: ["retrieve policy", "look up order", "answer"] },
      code: { file: "support/agent.py", line: 58, function: "plan" },
    },
  },
  chat(
    "plan-chat",
    "plan",
    30,
    1_290,
    { messages: MESSAGES },
    {
      choices: [
        {
          index: 0,
          finish_reason: "stop",
          message: { role: "assistant", content: "1. Retrieve the refund policy\n2. Look up order 4711\n3. Answer" },
        },
      ],
    },
    [412, 38],
  ),
  {
    id: "retrieve",
    parent: "root",
    name: "retrieve",
    kind: "retriever",
    from: 1_330,
    to: 2_020,
    more: {
      inputs: { query: "refund replacement late delivery", top_k: 3 },
      outputs: [
        { id: "policy/refunds#3", score: 0.871, text: "Customers may ask for a refund at any time before delivery." },
        { id: "policy/late#1", score: 0.802, text: "An order counts as late two days after its ETA." },
      ],
      code: { file: "support/retrieve.py", line: 17, function: "retrieve" },
    },
  },
  {
    id: "embed",
    parent: "retrieve",
    name: "embed text-embedding-3-small",
    kind: "embedding",
    from: 1_340,
    to: 1_560,
    more: {
      model: "text-embedding-3-small",
      provider: "openai",
      input_tokens: 9,
      output_tokens: 0,
      cost: 2e-7,
      inputs: "refund replacement late delivery",
    },
  },
  {
    id: "search",
    parent: "retrieve",
    name: "vector_search",
    kind: "span",
    from: 1_570,
    to: 1_880,
    more: { attributes: { "db.system": "pgvector", "db.rows": 24 } },
  },
  { id: "rerank", parent: "retrieve", name: "rerank", kind: "reranker", from: 1_885, to: 2_010 },
  chat(
    "chat-1",
    "root",
    2_040,
    3_700,
    { messages: MESSAGES, tools: [{ type: "function", function: { name: "lookup_order" } }] },
    {
      choices: [
        { index: 0, finish_reason: "tool_calls", message: { role: "assistant", content: null, tool_calls: [CALL] } },
      ],
    },
    [1_284, 61],
  ),
  {
    id: "lookup",
    parent: "root",
    name: "lookup_order",
    kind: "tool",
    from: 3_720,
    to: 4_150,
    more: {
      inputs: { order_id: 4711, fields: ["status", "carrier", "eta"] },
      outputs: ORDER,
      code: { file: "support/tools.py", line: 31, function: "lookup_order" },
    },
  },
  {
    id: "carrier",
    parent: "root",
    name: "carrier_status",
    kind: "tool",
    from: 3_725,
    to: 5_760,
    more: {
      status: "error",
      error: {
        type: "ReadTimeout",
        message: "HTTPSConnectionPool(host='api.postnord.example', port=443): Read timed out. (read timeout=2.0)",
        stacktrace: STACK,
      },
      inputs: { carrier: "PostNord", order_id: 4711 },
      code: { file: "support/tools.py", line: 84, function: "carrier_status" },
    },
  },
  {
    id: "sub",
    parent: "root",
    name: "policy_checker",
    kind: "agent",
    from: 4_170,
    to: 6_400,
    more: {
      inputs: { claim: "late delivery", order: 4711 },
      outputs: { refund: true, replacement: "after 2026-03-14" },
      code: { file: "support/policy.py", line: 22, function: "policy_checker" },
    },
  },
  chat(
    "sub-chat",
    "sub",
    4_190,
    5_900,
    {
      messages: [
        { role: "system", content: "Decide by the policy alone." },
        { role: "user", content: "Order 4711, ETA 12 March, today 9 March. Refund? Replacement?" },
      ],
    },
    {
      choices: [
        { message: { role: "assistant", content: "Refund: yes, before delivery. Replacement: from 14 March." } },
      ],
    },
    [655, 24],
  ),
  {
    id: "guard",
    parent: "sub",
    name: "no_promise_beyond_policy",
    kind: "guardrail",
    from: 5_910,
    to: 6_380,
    more: { outputs: { passed: true } },
  },
  chat(
    "chat-2",
    "root",
    6_420,
    8_150,
    {
      messages: [
        ...MESSAGES,
        { role: "assistant", content: null, tool_calls: [CALL] },
        { role: "tool", tool_call_id: CALL.id, content: JSON.stringify(ORDER) },
      ],
    },
    { choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: ANSWER } }] },
    [1_702, 96],
  ),
];

const LOGS: readonly (readonly [string, number, string, string, Fields])[] = [
  ["root", 5, "info", "question received", { customer: "c-2291", chars: QUESTION.length }],
  ["retrieve", 1_565, "debug", "embedding cache miss", { model: "text-embedding-3-small" }],
  ["carrier", 4_730, "warning", "carrier is slow, still waiting", { elapsed_s: 1.0 }],
  ["carrier", 5_755, "error", "carrier gave no answer in time", { timeout_s: 2.0 }],
  ["root", 6_405, "info", "answering without the carrier's status", {}],
];

/** The whole script of one run. */
export function agentTrace(seed: string, startMs: number, project = "support", speed = 1): Script {
  const traceId = hex(`trace ${seed}`, 32);
  const start = BigInt(startMs) * 1_000_000n;
  const at = (ms: number): string => String(start + BigInt(Math.round(ms * speed * 1e6)));
  const id = (name: string): string => hex(`${seed} ${name}`, 16);
  const spans = STEPS.map((step) => ({
    trace_id: traceId,
    span_id: id(step.id),
    parent_span_id: step.parent === null ? null : id(step.parent),
    name: step.name,
    kind: step.kind,
    event_type: EVENT_TYPES[step.kind] ?? "tool",
    status: "ok",
    error: null,
    start_ns: at(step.from),
    end_ns: at(step.to),
    project,
    source: "dev",
    service: "support-bot",
    session_id: `session-${hex(seed, 6)}`,
    user_id: "c-2291",
    attributes: {},
    events: [],
    links: [],
    ...step.more,
  }));
  const logs = LOGS.map(([span, ms, level, event, attrs], i) => ({
    id: hex(`${seed} log ${i}`, 16),
    trace_id: traceId,
    span_id: id(span),
    ts: at(ms),
    event,
    level,
    logger: "support.agent",
    code: null,
    attrs,
  }));
  return { traceId, startMs, spans, logs };
}

/** The same span while it runs: nothing of its end is known. */
export function started(span: MockSpan): MockSpan {
  const {
    outputs: _outputs,
    error: _error,
    metrics: _metrics,
    feedback: _feedback,
    input_tokens: _in,
    output_tokens: _out,
    cost: _cost,
    ...rest
  } = span;
  return { ...rest, end_ns: null, status: "running", error: null } as unknown as MockSpan;
}

/** Stores a script's starts, ends and logs in their order; `wait` passes the time between them. */
export async function playAgent(store: MockStore, script: Script, wait: (ms: number) => Promise<void>): Promise<void> {
  const begin = BigInt(script.startMs) * 1_000_000n;
  const events = [
    ...script.spans.map((span) => ({ at: BigInt(span.start_ns), run: () => store.put(started(span)) })),
    ...script.spans.map((span) => ({ at: BigInt(span.end_ns ?? span.start_ns), run: () => store.put(span) })),
    ...script.logs.map((log) => ({ at: BigInt(log.ts), run: () => store.log(log) })),
  ].sort((a, b) => (a.at < b.at ? -1 : 1));
  let time = begin;
  for (const event of events) {
    await wait(Number(event.at - time) / 1e6);
    time = event.at;
    event.run();
  }
}

const NAMES = ["support_agent", "nightly_eval", "summarise_ticket", "classify_intent", "draft_reply", "POST /chat"];
const PROJECTS = ["support", "search", "internal-tools"];

/** `count` traces that ended before `nowMs`: mostly fine, some failed, one lost. */
export function history(store: MockStore, count: number, nowMs: number): void {
  for (let i = 0; i < count; i += 1) {
    const project = PROJECTS[i % 7 < 4 ? 0 : i % 7 < 6 ? 1 : 2] ?? "support";
    const speed = 0.15 + ((i * 7919) % 100) / 40;
    const script = agentTrace(`history ${i}`, nowMs - 45_000 - i * 97_000 - ((i * 31) % 50) * 1000, project, speed);
    const keep = i % 5 === 0 ? script.spans.length : 3 + ((i * 13) % 11);
    const spans = script.spans.slice(0, keep).map((span, at) => {
      if (at > 0) return span;
      const failed = i % 9 === 4;
      return {
        ...span,
        name: NAMES[(i * 5) % NAMES.length] ?? "run",
        ...(failed
          ? {
              status: "error",
              error: {
                type: "ValueError",
                message: "the answer promises a refund that the policy excludes",
                stacktrace: "",
              },
            }
          : {}),
        ...(i % 41 === 17 ? { status: "lost", end_ns: null } : {}),
      };
    });
    store.put(...(spans as MockSpan[]));
    if (keep > 10) for (const log of script.logs) store.log(log);
  }
}

/** A trace of `count` spans: bushy, up to 8 deep. */
export function bigTrace(seed: string, startMs: number, count: number): Script {
  const traceId = hex(`big ${seed}`, 32);
  const start = BigInt(startMs) * 1_000_000n;
  const kinds = ["chain", "llm", "tool", "retriever", "span", "agent"];
  const spans: MockSpan[] = [];
  for (let i = 0; i < count; i += 1) {
    const parent = i === 0 ? null : Math.floor((i - 1) / 4);
    const from = i === 0 ? 0 : Number(BigInt(spans[parent ?? 0]?.start_ns ?? 0) - start) / 1e6 + ((i - 1) % 4) * 5 + 1;
    spans.push({
      trace_id: traceId,
      span_id: i.toString(16).padStart(16, "0"),
      parent_span_id: parent === null ? null : parent.toString(16).padStart(16, "0"),
      name: `step ${i}`,
      kind: i === 0 ? "agent" : (kinds[i % kinds.length] ?? "span"),
      status: i > 0 && i % 997 === 0 ? "error" : "ok",
      error: i > 0 && i % 997 === 0 ? { type: "E", message: `step ${i} failed`, stacktrace: "" } : null,
      start_ns: String(start + BigInt(Math.round(from * 1e6))),
      end_ns: String(start + BigInt(Math.round((from + (i === 0 ? count : 3 + (i % 7))) * 1e6))),
      project: "big",
      inputs: { index: i, text: "x".repeat(60) },
      attributes: { index: i },
    });
  }
  return { traceId, startMs, spans, logs: [] };
}
