import { ALL_TRACES } from "@aitrace/model";
import { expect, test } from "vitest";
import { getProjects, getTrace, getTraces } from "./api.ts";
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
  expect(host.asked).toEqual(["/api/trace/x%2Fy"]);
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
