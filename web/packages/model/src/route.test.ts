import fc from "fast-check";
import { expect, test } from "vitest";
import { STATUSES } from "./api.ts";
import { ALL_TRACES, formatQuery, href, parseRoute, type Route } from "./route.ts";

const text = fc.string({ minLength: 1, unit: "grapheme" }).filter((value) => value.isWellFormed());
const orNull = (arbitrary: fc.Arbitrary<string>): fc.Arbitrary<string | null> => fc.option(arbitrary);

const routes: fc.Arbitrary<Route> = fc.oneof(
  fc.record({
    page: fc.constant("traces" as const),
    project: orNull(text),
    sessionId: orNull(text),
    status: fc.option(fc.constantFrom(...STATUSES)),
    q: fc.string({ unit: "grapheme" }).filter((value) => value.isWellFormed()),
  }),
  fc.record({ page: fc.constant("trace" as const), traceId: text, spanId: orNull(text), project: orNull(text) }),
);

test("there and back on every route", () => {
  fc.assert(
    fc.property(routes, (route) => {
      expect(parseRoute(href(route))).toEqual(route);
    }),
    { numRuns: 1000 },
  );
});

test("addresses stay as documented", () => {
  expect(href(ALL_TRACES)).toBe("/");
  expect(href({ page: "trace", traceId: "0af7", spanId: "b7ad", project: null })).toBe("/trace/0af7#b7ad");
  expect(href({ page: "trace", traceId: "0af7", spanId: null, project: null })).toBe("/trace/0af7");
  expect(href({ page: "trace", traceId: "0af7", spanId: "b7ad", project: "a b" })).toBe(
    "/trace/0af7?project=a%20b#b7ad",
  );
  expect(href({ ...ALL_TRACES, sessionId: "a/b", status: "error" })).toBe("/?session_id=a%2Fb&status=error");
});

test("what is not known is left out or unknown, never an error", () => {
  expect(parseRoute("/?status=purple&project=")).toEqual(ALL_TRACES);
  expect(parseRoute("/?q=a+b&q=c")).toEqual({ ...ALL_TRACES, q: "a b" });
  expect(parseRoute("/session/a%2Fb?status=error")).toEqual({ ...ALL_TRACES, sessionId: "a/b", status: "error" });
  expect(parseRoute("/dashboard").page).toBe("unknown");
  expect(parseRoute("/trace/").page).toBe("unknown");
  expect(parseRoute("/trace/%E0%A4%A").page).toBe("unknown");
  expect(parseRoute("/trace/a#%E0%A4%A")).toEqual({ page: "trace", traceId: "a", spanId: null, project: null });
  fc.assert(fc.property(fc.string(), (path) => void parseRoute(`/${path}`)));
});

test("a query has only what is there", () => {
  expect(
    formatQuery([
      ["a", null],
      ["b", ""],
      ["c", "1&2"],
    ]),
  ).toBe("?c=1%262");
  expect(formatQuery([])).toBe("");
});
