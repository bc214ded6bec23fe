import { ALL_TRACES } from "@aitrace/model";
import { expect, test } from "vitest";
import { getProjects, getSpan, getTrace, getTraces, WHOLE_SPANS } from "./api.ts";
import { fakeHost } from "./testing.ts";

const { signal } = new AbortController();
const answering = (status: number, text: string) => fakeHost(() => ({ status, text, serverTime: null }));

test("asks with the filter, and without what is not set", async () => {
  const host = answering(200, '{"traces":[{"trace_id":"a"}],"next":"c"}');
  await expect(getTraces(host, ALL_TRACES, null, signal)).resolves.toMatchObject({ next: "c" });
  await getTraces(host, { ...ALL_TRACES, project: "a&b", status: "error", q: " x ", sessionId: "s" }, "c", signal);
  expect(host.asked).toEqual([
    "/api/traces?limit=100",
    "/api/traces?project=a%26b&session_id=s&status=error&q=x&limit=100&cursor=c",
  ]);
});

test("the server's error comes with its words", async () => {
  const host = answering(404, '{"error":{"kind":"not_found","message":"there is no trace x","hint":"look"}}');
  await expect(getTrace(host, "x/y", null, signal)).rejects.toMatchObject({
    status: 404,
    message: "there is no trace x",
    hint: "look",
  });
  expect(host.asked).toEqual(["/api/trace/x%2Fy/skeleton"]);
});

test.each([
  ["a proxy's page", 502, "<html>"],
  ["no JSON", 200, "OK"],
  ["other JSON", 200, "[]"],
])("an answer that is not the API's has a reason too: %s", async (_name, status, text) => {
  await expect(getTraces(answering(status, text), ALL_TRACES, null, signal)).rejects.toMatchObject({
    name: "ApiFailure",
    hint: expect.stringContaining("reload"),
  });
});

test("no answer at all says where the server should be", async () => {
  const host = fakeHost(() => Promise.reject(new TypeError("Failed to fetch")));
  await expect(getProjects(host, signal)).rejects.toMatchObject({
    status: 0,
    hint: expect.stringContaining("http://127.0.0.1:8000"),
  });
});

test("a reading that was called off is no failure of the server", async () => {
  const control = new AbortController();
  const host = fakeHost(() => Promise.reject(new DOMException("aborted", "AbortError")));
  control.abort();
  await expect(getTrace(host, "x", "p", control.signal)).rejects.toMatchObject({ name: "AbortError" });
});

const BONES = (count: number): string =>
  JSON.stringify({
    trace: { trace_id: "t", project: "p" },
    spans: Array.from({ length: count }, (_, i) => ({ span_id: `s${i}`, parent_span_id: null, start_ns: `${i}` })),
  });

test("a small trace is read whole, a large one as its tree alone", async () => {
  const whole =
    '{"trace":{"trace_id":"t"},"spans":[{"trace_id":"t","span_id":"s","start_ns":"1","inputs":1}],"logs":[]}';
  const answers = (count: number) =>
    fakeHost((path) => ({ status: 200, text: path.includes("skeleton") ? BONES(count) : whole, serverTime: null }));
  const small = answers(WHOLE_SPANS);
  await expect(getTrace(small, "t", "p", signal)).resolves.toMatchObject({ skeleton: false, spans: [{ inputs: 1 }] });
  expect(small.asked).toEqual(["/api/trace/t/skeleton?project=p", "/api/trace/t?project=p"]);
  const large = answers(WHOLE_SPANS + 1);
  const read = await getTrace(large, "t", null, signal);
  expect(large.asked).toEqual(["/api/trace/t/skeleton"]);
  expect(read).toMatchObject({ skeleton: true, logs: [], unreadable: 0 });
  expect(read.spans).toHaveLength(WHOLE_SPANS + 1);
  expect(read.spans[7]).toMatchObject({ spanId: "s7", traceId: "t", project: "p", bare: true, inputs: null });
});

test("contents of one span are asked of its own project", async () => {
  const host = answering(200, '{"trace_id":"t","span_id":"s","start_ns":"1","inputs":{"q":1}}');
  const [bone] = (
    await getTrace(
      fakeHost(() => ({ status: 200, text: BONES(9_999), serverTime: null })),
      "t",
      null,
      signal,
    )
  ).spans;
  if (bone === undefined) throw new Error("no span");
  await expect(getSpan(host, bone, signal)).resolves.toMatchObject({ bare: false, inputs: { q: 1 } });
  expect(host.asked).toEqual(["/api/span/t/s0?project=p&place=false"]);
});
