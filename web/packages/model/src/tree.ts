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
function compare(a: Span, b: Span): number {
  if (a.start !== b.start) return a.start < b.start ? -1 : 1;
  return a.spanId < b.spanId ? -1 : a.spanId > b.spanId ? 1 : 0;
}

/** A root, and a span whose parent is not here. */
const ROOT = -1;
const ORPHAN = -2;

/**
 * Where the parent of each span stands in the list. Numbers instead of names from here on: a trace may have a hundred
 * thousand spans, and looking up a name costs more than all the rest.
 */
function findParents(list: readonly Span[]): { parents: Int32Array; parentsFirst: boolean } {
  const places = new Map<string, number>();
  for (let i = 0; i < list.length; i += 1) places.set((list[i] as Span).spanId, i);
  const parents = new Int32Array(list.length);
  let parentsFirst = true;
  for (let i = 0; i < list.length; i += 1) {
    const { parentId } = list[i] as Span;
    const parent = parentId === null ? ROOT : (places.get(parentId) ?? ORPHAN);
    parents[i] = parent;
    // The server's order, in which no circle can be.
    if (parent >= i) parentsFirst = false;
  }
  return { parents, parentsFirst };
}

/** Of each circle of parents the earliest span: where the circle is cut. */
function findCuts(list: readonly Span[], parents: Int32Array): number[] {
  const cuts: number[] = [];
  // For each span seen, the walk that saw it first, from 1.
  const walks = new Int32Array(list.length);
  for (let start = 0; start < list.length; start += 1) {
    let at = start;
    while (at >= 0 && walks[at] === 0) {
      walks[at] = start + 1;
      at = parents[at] as number;
    }
    if (at < 0 || walks[at] !== start + 1) continue;
    // Only this walk left its mark there, so it came back to itself.
    let earliest = at;
    for (let next = parents[at] as number; next !== at; next = parents[next] as number) {
      if (compare(list[next] as Span, list[earliest] as Span) < 0) earliest = next;
    }
    cuts.push(earliest);
  }
  return cuts;
}

function sorted(places: number[], list: readonly Span[]): number[] {
  const order = (a: number, b: number): number => compare(list[a] as Span, list[b] as Span);
  for (let i = 1; i < places.length; i += 1) {
    if (order(places[i - 1] as number, places[i] as number) > 0) return places.sort(order);
  }
  return places;
}

export function buildTree(spans: SpanMap): Tree {
  const list = [...spans.values()];
  const { parents, parentsFirst } = findParents(list);
  const cuts = new Set(parentsFirst ? [] : findCuts(list, parents));
  const irregular = new Map<number, Irregular>();
  const roots: number[] = [];
  const children: (number[] | undefined)[] = new Array(list.length);
  for (let i = 0; i < list.length; i += 1) {
    if (cuts.has(i)) {
      parents[i] = ROOT;
      irregular.set(i, "cycle");
    }
    const parent = parents[i] as number;
    if (parent === ORPHAN) irregular.set(i, "orphan");
    if (parent < 0) roots.push(i);
    else if (children[parent] === undefined) children[parent] = [i];
    else children[parent].push(i);
  }
  sorted(roots, list);
  for (const siblings of children) if (siblings !== undefined && siblings.length > 1) sorted(siblings, list);
  return makeTree(list, roots, parents, children, irregular);
}

function makeTree(
  list: readonly Span[],
  roots: readonly number[],
  parents: Int32Array,
  children: readonly (readonly number[] | undefined)[],
  irregular: ReadonlyMap<number, Irregular>,
): Tree {
  const depths = new Int32Array(list.length);
  const descendants = new Int32Array(list.length);
  const order: number[] = [];
  const stack = [...roots].reverse();
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    order.push(at);
    const below = children[at];
    if (below === undefined) continue;
    const depth = (depths[at] as number) + 1;
    for (let i = below.length - 1; i >= 0; i -= 1) {
      const child = below[i] as number;
      depths[child] = depth;
      stack.push(child);
    }
  }
  // From the bottom up, so that each finds its children counted.
  for (let i = order.length - 1; i >= 0; i -= 1) {
    const at = order[i] as number;
    const parent = parents[at] as number;
    if (parent >= 0) descendants[parent] = (descendants[parent] as number) + 1 + (descendants[at] as number);
  }
  const id = (place: number): string => (list[place] as Span).spanId;
  const nodes = new Map<string, TreeNode>();
  for (const at of order) {
    nodes.set(id(at), {
      id: id(at),
      depth: depths[at] as number,
      children: children[at]?.map(id) ?? NO_CHILDREN,
      descendants: descendants[at] as number,
      irregular: irregular.get(at) ?? null,
    });
  }
  return { roots: roots.map(id), nodes };
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

const NO_LOGS: readonly LogRecord[] = [];

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
    const logs = groups.get(step.id) ?? NO_LOGS;
    const expandable = node.children.length + logs.length > 0;
    const expanded = expandable && !options.collapsed.has(step.id);
    rows.push({ type: "span", key: step.id, id: step.id, depth: node.depth, expandable, expanded });
    if (!expanded) continue;
    if (logs.length > 0) push(merge(node, logs, spans, logRow));
    else for (let i = node.children.length - 1; i >= 0; i -= 1) stack.push({ id: node.children[i] as string });
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
