import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Span } from "./api.ts";
import { log, span, spanMap } from "./testing.ts";
import { ancestors, buildTree, flatten, type Row } from "./tree.ts";

function show(spans: readonly Span[], collapsed: string[] = [], logs = [] as ReturnType<typeof log>[]): string[] {
  const map = spanMap(spans);
  return flatten(buildTree(map), map, { collapsed: new Set(collapsed), logs }).map(
    (row: Row) => `${"  ".repeat(row.depth)}${row.type === "log" ? `· ${row.log.event}` : row.id}`,
  );
}

describe("the tree", () => {
  test("children stand below their parent by start, whatever the order of arrival", () => {
    const spans = [span("c", "a", 20), span("d", "b", 15), span("b", "a", 10), span("a", null, 0)];
    expect(show(spans)).toEqual(["a", "  b", "    d", "  c"]);
  });

  test("equal starts stand by id", () => {
    expect(show([span("b", null, 0), span("a", null, 0)])).toEqual(["a", "b"]);
  });

  test("a span whose parent is missing is a root, and says so", () => {
    const map = spanMap([span("a", null, 0), span("b", "gone", 1)]);
    const tree = buildTree(map);
    expect(tree.roots).toEqual(["a", "b"]);
    expect(tree.nodes.get("b")?.irregular).toBe("orphan");
    expect(tree.nodes.get("a")?.irregular).toBeNull();
  });

  test("a circle is cut at its earliest span", () => {
    const map = spanMap([span("x", "z", 5), span("y", "x", 6), span("z", "y", 7), span("leaf", "y", 8)]);
    const tree = buildTree(map);
    expect(tree.roots).toEqual(["x"]);
    expect(tree.nodes.get("x")?.irregular).toBe("cycle");
    expect(show([...map.values()])).toEqual(["x", "  y", "    z", "    leaf"]);
  });

  test("a span that is its own parent is shown", () => {
    expect(show([span("a", "a", 0), span("b", "a", 1)])).toEqual(["a", "  b"]);
  });

  test("a depth of 100 000 is no problem", () => {
    const spans = Array.from({ length: 100_000 }, (_, i) => span(String(i), i === 0 ? null : String(i - 1), i));
    const map = spanMap(spans);
    const tree = buildTree(map);
    expect(tree.nodes.get("0")?.descendants).toBe(99_999);
    expect(flatten(tree, map, { collapsed: new Set() })).toHaveLength(100_000);
    expect(ancestors(map, tree, "99999")).toHaveLength(99_999);
  });
});

/** Spans with parents drawn at random among all: circles, self-parents, orphans. */
const anySpans = fc
  .array(fc.record({ parent: fc.option(fc.nat(24)), start: fc.nat(5) }), { maxLength: 24 })
  .map((items) => items.map((item, i) => span(`s${i}`, item.parent === null ? null : `s${item.parent}`, item.start)));

describe("laws", () => {
  test("every span is shown exactly once, children below their parent, and the order of arrival is nothing", () => {
    fc.assert(
      fc.property(anySpans, fc.infiniteStream(fc.nat()), (spans, random) => {
        const rows = show(spans);
        expect(rows.map((row) => row.trim()).sort()).toEqual(spans.map((item) => item.spanId).sort());
        const shuffled = spans
          .map((item) => ({ item, key: random.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ item }) => item);
        expect(show(shuffled)).toEqual(rows);
      }),
      { numRuns: 500 },
    );
  });

  test("a span that is no root stands right below its parent's rows", () => {
    fc.assert(
      fc.property(anySpans, (spans) => {
        const map = spanMap(spans);
        const tree = buildTree(map);
        const rows = flatten(tree, map, { collapsed: new Set() });
        rows.forEach((row, i) => {
          if (row.type !== "span" || row.depth === 0) return;
          let above = i - 1;
          while ((rows[above]?.depth ?? 0) >= row.depth) above -= 1;
          const parent = rows[above];
          expect(parent?.type === "span" && parent.id).toBe(map.get(row.id)?.parentId);
        });
      }),
      { numRuns: 500 },
    );
  });

  test("collapsing hides exactly what stands below", () => {
    fc.assert(
      fc.property(anySpans, fc.nat(), (spans, pick) => {
        if (spans.length === 0) return;
        const map = spanMap(spans);
        const tree = buildTree(map);
        const id = (spans[pick % spans.length] as Span).spanId;
        const all = flatten(tree, map, { collapsed: new Set() }).map((row) => row.key);
        const fewer = flatten(tree, map, { collapsed: new Set([id]) }).map((row) => row.key);
        expect(all.length - fewer.length).toBe(tree.nodes.get(id)?.descendants);
        const at = all.indexOf(id);
        expect(fewer).toEqual([...all.slice(0, at + 1), ...all.slice(at + 1 + (tree.nodes.get(id)?.descendants ?? 0))]);
      }),
    );
  });
});

describe("logs", () => {
  const spans = [span("a", null, 0, 100), span("b", "a", 10, 20), span("c", "a", 40, 50)];

  test("stand among the children at their time", () => {
    const logs = [log("a", 30, "between"), log("a", 5, "before"), log("a", 60, "after"), log("b", 12, "inside")];
    expect(show(spans, [], logs)).toEqual([
      "a",
      "  · before",
      "  b",
      "    · inside",
      "  · between",
      "  c",
      "  · after",
    ]);
  });

  test("of no known span stand at the end", () => {
    expect(show(spans, ["a"], [log(null, 1, "free"), log("gone", 0, "lost")])).toEqual(["a", "· lost", "· free"]);
  });

  test("make a span expandable and collapse with it", () => {
    const map = spanMap(spans);
    const rows = flatten(buildTree(map), map, { collapsed: new Set(["b"]), logs: [log("b", 12, "inside")] });
    expect(rows.map((row) => row.key)).toEqual(["a", "b", "c"]);
    expect(rows[1]).toMatchObject({ expandable: true, expanded: false });
    expect(rows[2]).toMatchObject({ expandable: false, expanded: false });
  });

  test("keep their key when another comes before them", () => {
    const map = spanMap(spans);
    const key = (logs: ReturnType<typeof log>[]): string[] =>
      flatten(buildTree(map), map, { collapsed: new Set(), logs }).flatMap((row) =>
        row.type === "log" && row.log.event === "x" ? [row.key] : [],
      );
    expect(key([log("a", 5, "earlier"), log("a", 30, "x")])).toEqual(key([log("a", 30, "x")]));
    expect(new Set(key([log("a", 30, "x"), log("a", 30, "x")])).size).toBe(2);
  });
});
