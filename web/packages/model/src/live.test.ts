import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TraceSummary } from "./api.ts";
import {
  applyEvents,
  decodeLiveEvent,
  insertTrace,
  type LiveEvent,
  latestTraces,
  mergeTraces,
  stateFromEvents,
  type TraceState,
  traceState,
} from "./live.ts";
import { at, detail, log, span, TRACE, trace } from "./testing.ts";

const spanEvent = (...args: Parameters<typeof span>): LiveEvent => ({ type: "span", span: span(...args) });

function summary(state: TraceState): unknown {
  return {
    spans: [...state.spans.values()]
      .map((item) => [item.spanId, item.parentId, item.start, item.end, item.name])
      .sort(),
    roots: state.tree.roots,
    children: [...state.tree.nodes].map(([id, node]) => [id, node.children]).sort(),
    logs: state.logs.map((item) => item.event).sort(),
  };
}

describe("a span's life", () => {
  test("started, then ended", () => {
    const empty = traceState(detail([]));
    const started = applyEvents(empty, [spanEvent("a", null, 0)]);
    expect(started.spans.get("a")?.status).toBe("running");
    const ended = applyEvents(started, [spanEvent("a", null, 0, 10)]);
    expect(ended.spans.get("a")).toMatchObject({ status: "ok", end: at(10) });
    expect(ended.tree, "the shape did not change").toBe(started.tree);
  });

  test("a start that comes after the end changes nothing", () => {
    const state = traceState(detail([span("a", null, 0, 10)]));
    expect(applyEvents(state, [spanEvent("a", null, 0)])).toBe(state);
  });

  test("a lost span that is heard of again runs again, and one that ends has ended", () => {
    const lost = traceState(detail([span("a", null, 0, undefined, { status: "lost" })]));
    expect(applyEvents(lost, [spanEvent("a", null, 0)]).spans.get("a")?.status).toBe("running");
    expect(applyEvents(lost, [spanEvent("a", null, 0, 5)]).spans.get("a")?.status).toBe("ok");
  });

  test("a later end replaces an earlier one: late corrections", () => {
    const state = traceState(detail([span("a", null, 0, 10)]));
    const corrected = applyEvents(state, [spanEvent("a", null, 0, 10, { name: "better" })]);
    expect(corrected.spans.get("a")?.name).toBe("better");
  });

  test("a parent that comes late takes its children", () => {
    const state = applyEvents(traceState(detail([])), [spanEvent("b", "a", 1)]);
    expect(state.tree.nodes.get("b")?.irregular).toBe("orphan");
    const whole = applyEvents(state, [spanEvent("a", null, 0)]);
    expect(whole.tree.roots).toEqual(["a"]);
    expect(whole.tree.nodes.get("a")?.children).toEqual(["b"]);
  });
});

test("other traces and a reset change nothing", () => {
  const state = traceState(detail([span("a", null, 0)]));
  const foreign: LiveEvent[] = [
    { type: "span", span: span("x", null, 0, 1, { traceId: "other" }) },
    { type: "log", log: log(null, 0, "x", { traceId: "other" }) },
    { type: "trace", trace: trace({ traceId: "other" }) },
    { type: "span", span: span("x", null, 0, 1, { project: "other" }) },
    { type: "trace", trace: trace({ project: "other" }) },
    { type: "reset" },
  ];
  expect(applyEvents(state, foreign)).toBe(state);
});

test("a log that was read and is then told of is one", () => {
  const record = log("a", 5, "hello", { attrs: { n: 1 } });
  const state = traceState(detail([span("a", null, 0)], [record]));
  expect(applyEvents(state, [{ type: "log", log: log("a", 5, "hello", { attrs: { n: 1 } }) }])).toBe(state);
  expect(applyEvents(state, [{ type: "log", log: log("a", 5, "hello", { attrs: { n: 2 } }) }]).logs).toHaveLength(2);
});

test("records with ids are told apart by them alone", () => {
  const state = traceState(detail([span("a", null, 0)], [log("a", 5, "hello", { id: "1" })]));
  expect(applyEvents(state, [{ type: "log", log: log("a", 5, "hello", { id: "1" }) }])).toBe(state);
  expect(applyEvents(state, [{ type: "log", log: log("a", 5, "hello", { id: "2" }) }]).logs).toHaveLength(2);
});

test("two equal logs in what was read stay two", () => {
  const record = log("a", 5, "hello");
  expect(traceState(detail([span("a", null, 0)], [record, record])).logs).toHaveLength(2);
});

describe("laws", () => {
  const lives = fc.array(fc.record({ parent: fc.option(fc.nat(9)), start: fc.nat(5), ended: fc.boolean() }), {
    maxLength: 10,
  });

  test("listening before reading: any overlap, repetition and grouping gives the same state", () => {
    fc.assert(
      fc.property(lives, fc.array(fc.nat()), fc.nat(20), (items, repeats, cut) => {
        const events = items.flatMap((item, i) => {
          const parent = item.parent === null ? null : `s${item.parent}`;
          const start = spanEvent(`s${i}`, parent, item.start);
          return item.ended ? [start, spanEvent(`s${i}`, parent, item.start, item.start + 3)] : [start];
        });
        const all = applyEvents(traceState(detail([])), events);
        // A second telling, from any point on, in pieces.
        let again = traceState(detail([...all.spans.values()]));
        for (const repeat of repeats) {
          const event = events[repeat % Math.max(1, events.length)];
          if (event) again = applyEvents(again, [event]);
        }
        expect(summary(again)).toEqual(summary(all));
        let split = traceState(detail([]));
        split = applyEvents(split, events.slice(0, cut));
        split = applyEvents(split, events.slice(cut));
        expect(summary(split)).toEqual(summary(all));
      }),
      { numRuns: 300 },
    );
  });
});

test("a trace that begins while its page is open", () => {
  expect(stateFromEvents(TRACE, [spanEvent("a", null, 0)])).toBeUndefined();
  const state = stateFromEvents(TRACE, [spanEvent("a", null, 0), { type: "trace", trace: trace() }]);
  expect(state?.spans.size).toBe(1);
});

describe("decodeLiveEvent", () => {
  test("reads all kinds", () => {
    const s = '{"trace_id":"t","span_id":"s","start_ns":"1"}';
    expect(decodeLiveEvent("span.started", s)?.type).toBe("span");
    expect(decodeLiveEvent("span.ended", s)?.type).toBe("span");
    expect(decodeLiveEvent("log", '{"ts":"1"}')?.type).toBe("log");
    expect(decodeLiveEvent("trace.updated", '{"trace_id":"t"}')?.type).toBe("trace");
    expect(decodeLiveEvent("span.updated", s)?.type).toBe("span");
    expect(decodeLiveEvent("span.lost", s)?.type).toBe("span");
    expect(decodeLiveEvent("reset", "")?.type).toBe("reset");
  });

  test("passes over what it cannot read", () => {
    for (const [name, data] of [
      ["span.started", "{"],
      ["span.started", "{}"],
      ["novelty", "{}"],
      ["log", "null"],
    ] as const) {
      expect(decodeLiveEvent(name, data)).toBeUndefined();
    }
  });
});

describe("mergeTraces", () => {
  const row = (id: string, start: number, extra: Partial<TraceSummary> = {}): TraceSummary =>
    trace({ traceId: id, start: at(start), ...extra });

  test("replaces in place and reports the new, newest first", () => {
    const shown = [row("b", 2), row("a", 1)];
    const updates = latestTraces(
      [row("a", 1), row("a", 1, { status: "ok" }), row("c", 3), row("d", 4)].map((item) => ({
        type: "trace",
        trace: item,
      })),
    );
    const { traces, fresh } = mergeTraces(shown, updates);
    expect(traces.map((item) => [item.traceId, item.status])).toEqual([
      ["b", "running"],
      ["a", "ok"],
    ]);
    expect(fresh.map((item) => item.traceId)).toEqual(["d", "c"]);
  });

  test("the same id in another project is another trace", () => {
    const { traces, fresh } = mergeTraces(
      [row("a", 1)],
      latestTraces([{ type: "trace", trace: row("a", 1, { project: "other" }) }]),
    );
    expect(traces[0]?.project).toBe("demo");
    expect(fresh).toHaveLength(1);
  });

  test("a new trace takes its place by start; one older than what is loaded waits for its page", () => {
    const pages = [[row("d", 4), row("c", 3)], [row("a", 1)]];
    const ids = (result: readonly (readonly TraceSummary[])[]) =>
      result.map((page) => page.map((item) => item.traceId).join(""));
    expect(ids(insertTrace(pages, row("x", 9), false))).toEqual(["xdc", "a"]);
    expect(ids(insertTrace(pages, row("x", 2), false))).toEqual(["dc", "xa"]);
    expect(insertTrace(pages, row("x", 0), false)).toBe(pages);
    expect(ids(insertTrace(pages, row("x", 0), true))).toEqual(["dc", "ax"]);
    expect(ids(insertTrace([[]], row("x", 0), true))).toEqual(["x"]);
  });

  test("no update, no new list", () => {
    const shown = [row("a", 1)];
    expect(mergeTraces(shown, new Map()).traces).toBe(shown);
  });
});

test("a span that is told of has its contents also where the tree alone was read", () => {
  const bare = { ...span("a", null, 0, 1), bare: true };
  const state = traceState({ ...detail([bare, { ...span("b", "a", 0), bare: true }]), skeleton: true });
  const next = applyEvents(state, [spanEvent("b", "a", 0, 2)]);
  expect(next.skeleton).toBe(true);
  expect(next.spans.get("b")).toMatchObject({ bare: false, status: "ok" });
  expect(next.spans.get("a")?.bare).toBe(true);
});
