import fc from "fast-check";
import { expect, test } from "vitest";
import {
  decodeApiError,
  decodeLog,
  decodeProjects,
  decodeSpan,
  decodeTrace,
  decodeTraceDetail,
  decodeTracePage,
} from "./decode.ts";
import { field, parseJson } from "./json.ts";

const SPAN = `{"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331","parent_span_id":null,"name":"chat",
"kind":"llm","event_type":"model","status":"error","error":{"type":"ValueError","message":"no","stacktrace":"at x"},
"start_ns":"1773064987123456789","end_ns":"1773064987123456790","project":"p","source":"dev","service":"s","session_id":"se",
"user_id":"u","run_id":null,"dataset_id":null,"datapoint_id":null,"provider":"openai","model":"gpt","input_tokens":12,
"output_tokens":"18446744073709551615","cost":0.25,"cost_formula":"input 12 × $1/M","inputs":{"id":12345678901234567890},"outputs":"text","metadata":{"a":1},"metrics":{},
"feedback":null,"config":null,"user_properties":null,"attributes":{"k":"v"},"code":{"file":"a.py","line":4,"function":"f"},
"events":[{"time_ns":"1773064987123456789","name":"exception","attributes":{"x":1}}, 7],
"links":[{"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331","attributes":{}}],"depth":0,"has_children":false}`;

test("a whole span", () => {
  const span = decodeSpan(parseJson(SPAN));
  expect(span).toMatchObject({
    kind: "llm",
    status: "error",
    error: { type: "ValueError", message: "no", stacktrace: "at x" },
    start: 1773064987123456789n,
    end: 1773064987123456790n,
    inputTokens: 12,
    cost: 0.25,
    costFormula: "input 12 × $1/M",
    code: { file: "a.py", line: 4, function: "f" },
  });
  expect(String(field(span?.inputs, "id"))).toBe("12345678901234567890");
  expect(span?.events).toHaveLength(1);
  expect(span?.links).toHaveLength(1);
});

test("a span needs its ids and its start, and nothing else", () => {
  const minimal = decodeSpan({ trace_id: "t", span_id: "s", start_ns: "1" });
  expect(minimal).toMatchObject({
    kind: "span",
    status: "running",
    end: null,
    attributes: {},
    inputs: null,
    code: null,
  });
  expect(decodeSpan({ trace_id: "t", span_id: "s" })).toBeUndefined();
  expect(decodeSpan({ trace_id: "t", start_ns: "1" })).toBeUndefined();
  expect(decodeSpan({ trace_id: "t", span_id: "s", start_ns: "1", end_ns: "2" })?.status).toBe("ok");
});

test("unknown words fall back", () => {
  const span = decodeSpan({ trace_id: "t", span_id: "s", start_ns: "1", kind: "wormhole", status: "purple" });
  expect(span).toMatchObject({ kind: "span", status: "running" });
  expect(decodeLog({ ts: "1", level: "critical" })?.level).toBe("info");
});

test("no input makes a decoder throw", () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      for (const decode of [decodeSpan, decodeTrace, decodeLog, decodeTraceDetail, decodeTracePage, decodeApiError])
        decode(value);
    }),
  );
});

test("no field of a wrong type makes a decoder throw or costs the record", () => {
  const whole = JSON.parse(SPAN) as Record<string, unknown>;
  const keys = Object.keys(whole).filter((key) => !["trace_id", "span_id", "start_ns"].includes(key));
  fc.assert(
    fc.property(fc.constantFrom(...keys), fc.jsonValue(), (key, value) => {
      expect(decodeSpan({ ...whole, [key]: value })).toBeDefined();
    }),
  );
});

test("a trace: times as text or nanoseconds, counts as numbers or strings", () => {
  const trace = decodeTrace({
    trace_id: "t",
    start_ts: "2026-03-09T14:03:07Z",
    end_ts: "1773064989500000000",
    status: "ok",
    spans: "12",
    errors: -1,
    input_tokens: null,
  });
  expect(trace).toMatchObject({
    durationMs: 2500,
    spans: 12,
    errors: 0,
    inputTokens: null,
    status: "ok",
    project: "default",
  });
  expect(decodeTrace({ name: "x" })).toBeUndefined();
});

test("records without identity are left out and counted", () => {
  const good = { trace_id: "t", span_id: "s", start_ns: "1" };
  const detail = decodeTraceDetail({ trace: { trace_id: "t" }, spans: [good, {}, 3], logs: [{ event: "x" }] });
  expect(detail).toMatchObject({ unreadable: 3 });
  expect(detail?.spans).toHaveLength(1);
  expect(decodeTraceDetail({ spans: [good] })).toBeUndefined();
});

test("a page of traces", () => {
  expect(decodeTracePage({ traces: [{ trace_id: "a" }, {}], next: "c" })).toMatchObject({
    next: "c",
    traces: [{ traceId: "a" }],
  });
  expect(decodeTracePage({ traces: [], next: null })).toEqual({ traces: [], next: null });
  expect(decodeTracePage("<html>")).toBeUndefined();
});

test("projects", () => {
  expect(decodeProjects({ projects: ["a", 1, "b"] })).toEqual(["a", "b"]);
  expect(decodeProjects(null)).toEqual([]);
});

test("an error's message and hint", () => {
  expect(decodeApiError({ error: { kind: "not_found", message: "no trace", hint: "look" } })).toEqual({
    kind: "not_found",
    message: "no trace",
    hint: "look",
  });
  expect(decodeApiError({ error: "no" })).toBeUndefined();
});
