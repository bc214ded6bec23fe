import fc from "fast-check";
import { expect, test } from "vitest";
import { highlight, reveal, searchTrace } from "./search.ts";
import { log, span, spanMap } from "./testing.ts";
import { buildTree } from "./tree.ts";

const spans = spanMap([
  span("a", null, 0, 100, { name: "Agent run" }),
  span("b", "a", 10, 20, { name: "chat", model: "gpt-5", inputs: { question: "Where is ORDER 7?" } }),
  span("c", "b", 12, 15, { name: "lookup", error: { type: "ValueError", message: "no such order", stacktrace: "" } }),
]);
const tree = buildTree(spans);
const logs = [log("c", 13, "cache miss", { attrs: { order: 7 } }), log(null, 1, "free")];
const find = (query: string): string[] => searchTrace(spans, tree, logs, query);

test("finds names, contents, models, errors and logs, in the order of the tree", () => {
  expect(find("agent")).toEqual(["a"]);
  expect(find("order").slice(0, 2)).toEqual(["b", "c"]);
  expect(find("order")[2]).toMatch(/^log:c:/);
  expect(find("GPT-5")).toEqual(["b"]);
});

test("all words must occur, in any order", () => {
  expect(find("order where")).toEqual(["b"]);
  expect(find("order nowhere")).toEqual([]);
});

test("nothing is found by nothing", () => {
  expect(find("  ")).toEqual([]);
});

test("revealing opens what hides a row, and nothing else", () => {
  const collapsed = new Set(["a", "b", "c"]);
  expect(reveal("c", spans, tree, collapsed)).toEqual(new Set(["c"]));
  expect(reveal(find("cache")[0] ?? "", spans, tree, collapsed)).toEqual(new Set());
  expect(reveal("a", spans, tree, collapsed)).toBe(collapsed);
});

test("highlighting cuts, and changes nothing", () => {
  expect(highlight("Where is order 7?", "ORDER 7")).toEqual(["Where is ", "order", " ", "7", "?"]);
  expect(highlight("a(b", "(")).toEqual(["a", "(", "b"]);
  fc.assert(
    fc.property(fc.string(), fc.string(), (text, query) => {
      expect(highlight(text, query).join("")).toBe(text);
    }),
  );
});
