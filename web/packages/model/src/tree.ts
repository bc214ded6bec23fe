/**
 * The tree of a trace, and its rows. Every span is shown exactly once, whatever was sent: a span whose parent is
 * missing becomes a root, and a circle is cut at its earliest span. Nothing here recurses, so depth is no limit.
 */

import type { LogRecord, Span } from "./api.ts";

/** Why a span stands where it does, where that is not simply below its parent. */
export type Irregular = "orphan" | "cycle";

export interface TreeNode {
  readonly id: string;
  readonly depth: number;
  readonly children: readonly string[];
  /** How many spans stand below it, at any depth. */
  readonly descendants: number;
  readonly irregular: Irregular | null;
}

export interface Tree {
  readonly roots: readonly string[];
  readonly nodes: ReadonlyMap<string, TreeNode>;
}

export type SpanMap = ReadonlyMap<string, Span>;

/** Siblings stand by start; equal starts by id, so that the order never depends on arrival. */
function byStart(spans: SpanMap): (a: string, b: string) => number {
  return (a, b) => {
    const left = spans.get(a)?.start ?? 0n;
    const right = spans.get(b)?.start ?? 0n;
    if (left !== right) return left < right ? -1 : 1;
    return a < b ? -1 : a > b ? 1 : 0;
  };
}

/** Whether each parent that is here comes before its children: the server's order, in which no circle can be. */
function parentsFirst(spans: SpanMap): boolean {
  const seen = new Set<string>();
  for (const { spanId, parentId } of spans.values()) {
    if (parentId !== null && !seen.has(parentId) && spans.has(parentId)) return false;
    seen.add(spanId);
  }
  return true;
}

/** Of each circle of parents the earliest span: where the circle is cut. */
function findCuts(spans: SpanMap): Set<string> {
  const cuts = new Set<string>();
  if (parentsFirst(spans)) return cuts;
  const compare = byStart(spans);
  // For each span seen, the walk that saw it first.
  const walks = new Map<string, string>();
  for (const start of spans.keys()) {
    let id: string | null | undefined = start;
    while (id && spans.has(id) && !walks.has(id)) {
      walks.set(id, start);
      id = spans.get(id)?.parentId;
    }
    if (!id || walks.get(id) !== start) continue;
    // Only this walk left its mark there, so it came back to itself.
    let earliest = id;
    for (let at = spans.get(id)?.parentId; at && at !== id; at = spans.get(at)?.parentId) {
      if (compare(at, earliest) < 0) earliest = at;
    }
    cuts.add(earliest);
  }
  return cuts;
}

function sortIfNeeded(ids: string[], compare: (a: string, b: string) => number): void {
  for (let i = 1; i < ids.length; i += 1) {
    if (compare(ids[i - 1] as string, ids[i] as string) > 0) {
      ids.sort(compare);
      return;
    }
  }
}

export function buildTree(spans: SpanMap): Tree {
  const compare = byStart(spans);
  const cuts = findCuts(spans);
  const children = new Map<string, string[]>();
  const roots: string[] = [];
  const irregular = new Map<string, Irregular>();
  for (const span of spans.values()) {
    const { spanId, parentId } = span;
    const cut = cuts.has(spanId);
    if (parentId === null || cut || !spans.has(parentId)) {
      roots.push(spanId);
      if (cut) irregular.set(spanId, "cycle");
      else if (parentId !== null) irregular.set(spanId, "orphan");
      continue;
    }
    const siblings = children.get(parentId);
    if (siblings) siblings.push(spanId);
    else children.set(parentId, [spanId]);
  }
  sortIfNeeded(roots, compare);
  for (const siblings of children.values()) sortIfNeeded(siblings, compare);
  return { roots, nodes: makeNodes(roots, children, irregular) };
}

function makeNodes(
  roots: readonly string[],
  children: ReadonlyMap<string, string[]>,
  irregular: ReadonlyMap<string, Irregular>,
): ReadonlyMap<string, TreeNode> {
  const nodes = new Map<string, { -readonly [K in keyof TreeNode]: TreeNode[K] }>();
  const order: string[] = [];
  const stack = roots.map((id) => ({ id, depth: 0 })).reverse();
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { id, depth } = next;
    const below = children.get(id) ?? NO_CHILDREN;
    order.push(id);
    nodes.set(id, { id, depth, children: below, descendants: 0, irregular: irregular.get(id) ?? null });
    for (let i = below.length - 1; i >= 0; i -= 1) stack.push({ id: below[i] as string, depth: depth + 1 });
  }
  // From the bottom up, so that each node finds its children counted.
  for (let i = order.length - 1; i >= 0; i -= 1) {
    const node = nodes.get(order[i] as string);
    if (node === undefined) continue;
    for (const child of node.children) node.descendants += 1 + (nodes.get(child)?.descendants ?? 0);
  }
  return nodes;
}

const NO_CHILDREN: readonly string[] = [];

export interface SpanRow {
  readonly type: "span";
  readonly key: string;
  readonly id: string;
  readonly depth: number;
  readonly expandable: boolean;
  readonly expanded: boolean;
}

export interface LogRow {
  readonly type: "log";
  readonly key: string;
  /** The span below which it stands; `null` at the end of the trace. */
  readonly id: string | null;
  readonly depth: number;
  readonly log: LogRecord;
}

export type Row = SpanRow | LogRow;

/** A row to be, on the way there. */
type Step = { readonly id: string } | LogRow;

export interface FlattenOptions {
  readonly collapsed: ReadonlySet<string>;
  /** Logs to show among the spans, at their place in time. */
  readonly logs?: readonly LogRecord[];
}

/** Logs of each span by time; those of no span, or of one that is not there, under `null`. */
export function groupLogs(spans: SpanMap, logs: readonly LogRecord[]): Map<string | null, LogRecord[]> {
  const groups = new Map<string | null, LogRecord[]>();
  for (const log of logs) {
    const id = log.spanId !== null && spans.has(log.spanId) ? log.spanId : null;
    const group = groups.get(id);
    if (group) group.push(log);
    else groups.set(id, [log]);
  }
  for (const group of groups.values()) group.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  return groups;
}

/** The rows of what is not collapsed, in the order shown. */
export function flatten(tree: Tree, spans: SpanMap, options: FlattenOptions): Row[] {
  const groups = groupLogs(spans, options.logs ?? []);
  const rows: Row[] = [];
  const numbers = new Map<string, number>();
  const logRow = (log: LogRecord, id: string | null, depth: number): LogRow => {
    const place = `${id ?? ""}:${log.id ?? log.time}`;
    const number = numbers.get(place) ?? 0;
    numbers.set(place, number + 1);
    return { type: "log", key: `log:${place}:${number}`, id, depth, log };
  };

  const stack: Step[] = [];
  const push = (steps: Step[]): void => {
    for (let i = steps.length - 1; i >= 0; i -= 1) stack.push(steps[i] as Step);
  };
  push([...tree.roots.map((id) => ({ id })), ...(groups.get(null) ?? []).map((log) => logRow(log, null, 0))]);
  for (let step = stack.pop(); step !== undefined; step = stack.pop()) {
    if ("type" in step) {
      rows.push(step);
      continue;
    }
    const node = tree.nodes.get(step.id);
    if (node === undefined) continue;
    const logs = groups.get(step.id) ?? [];
    const expandable = node.children.length + logs.length > 0;
    const expanded = expandable && !options.collapsed.has(step.id);
    rows.push({ type: "span", key: step.id, id: step.id, depth: node.depth, expandable, expanded });
    if (expanded) push(merge(node, logs, spans, logRow));
  }
  return rows;
}

/** Children and logs of a span as one sequence by time; a log comes before a span that starts with it. */
function merge(
  node: TreeNode,
  logs: readonly LogRecord[],
  spans: SpanMap,
  logRow: (log: LogRecord, id: string, depth: number) => LogRow,
): Step[] {
  const steps: Step[] = [];
  let at = 0;
  for (const id of node.children) {
    const start = spans.get(id)?.start ?? 0n;
    for (let log = logs[at]; log !== undefined && log.time <= start; log = logs[at]) {
      steps.push(logRow(log, node.id, node.depth + 1));
      at += 1;
    }
    steps.push({ id });
  }
  for (const log of logs.slice(at)) steps.push(logRow(log, node.id, node.depth + 1));
  return steps;
}

/** The spans above `id`, nearest first. */
export function ancestors(spans: SpanMap, tree: Tree, id: string): string[] {
  const result: string[] = [];
  let node = tree.nodes.get(id);
  while (node !== undefined && node.depth > 0) {
    const parent = spans.get(node.id)?.parentId;
    if (!parent) break;
    result.push(parent);
    node = tree.nodes.get(parent);
  }
  return result;
}
