/** A JSON value as rows of a tree, as far as it is unfolded. */

import { isObject, type Json, RawNumber } from "./json.ts";

export type JsonKind = "object" | "array" | "string" | "number" | "boolean" | "null";

export interface JsonRow {
  /** Path as JSON Pointer (RFC 6901); unique among the rows of a value. */
  readonly path: string;
  readonly depth: number;
  /** Key in an object, index in an array, `null` at the root. */
  readonly key: string | number | null;
  readonly kind: JsonKind;
  readonly value: Json;
  /** Number of children; 0 for what has none. */
  readonly size: number;
  readonly expanded: boolean;
  /** Set on the row that stands for children not listed: how many there are. */
  readonly more?: number;
}

/** How many children of one value are listed before the rest is asked for. */
export const PAGE = 100;

export interface JsonRowsOptions {
  /** Values at this depth and deeper are folded unless toggled. */
  readonly openDepth: number;
  /** Paths whose state is not the default. */
  readonly toggled: ReadonlySet<string>;
  /** For a path: how many children to list, where not [[PAGE]]. */
  readonly limits: ReadonlyMap<string, number>;
}

export function jsonKind(value: Json): JsonKind {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (value instanceof RawNumber) return "number";
  const type = typeof value;
  return type === "string" || type === "number" || type === "boolean" ? type : "object";
}

function entries(value: Json): [string | number, Json][] {
  if (Array.isArray(value)) return value.map((item, i) => [i, item]);
  return isObject(value) ? Object.entries(value) : [];
}

function sizeOf(value: Json): number {
  return Array.isArray(value) ? value.length : isObject(value) ? Object.keys(value).length : 0;
}

function pointer(parent: string, key: string | number): string {
  return `${parent}/${String(key).replace(/~/g, "~0").replace(/\//g, "~1")}`;
}

/** The rows of `value` below its root, or the root itself where it has no children. */
export function jsonRows(value: Json, options: JsonRowsOptions): JsonRow[] {
  const rows: JsonRow[] = [];
  const stack: JsonRow[] = [];
  const row = (path: string, depth: number, key: string | number | null, item: Json): JsonRow => {
    const size = sizeOf(item);
    const expanded = size > 0 && depth < options.openDepth !== options.toggled.has(path);
    return { path, depth, key, kind: jsonKind(item), value: item, size, expanded };
  };
  const open = (parent: JsonRow, depth: number): void => {
    const limit = options.limits.get(parent.path) ?? PAGE;
    const children = entries(parent.value).slice(0, limit);
    if (parent.size > limit) {
      stack.push({ ...parent, path: `${parent.path}/…`, depth, expanded: false, more: parent.size - limit });
    }
    for (const [key, item] of children.reverse()) stack.push(row(pointer(parent.path, key), depth, key, item));
  };
  const root = row("", -1, null, value);
  if (root.size === 0) return [{ ...root, depth: 0 }];
  open(root, 0);
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    rows.push(next);
    if (next.expanded && next.more === undefined) open(next, next.depth + 1);
  }
  return rows;
}

/** A folded value in a few words: `{id, name, …}`, `[12]`. */
export function jsonPreview(value: Json): string {
  if (Array.isArray(value)) return value.length === 0 ? "[]" : `[${value.length}]`;
  if (!isObject(value)) return String(value);
  const keys = Object.keys(value);
  const shown = keys.slice(0, 4).map((key) => (key.length > 24 ? `${key.slice(0, 23)}…` : key));
  return `{${shown.join(", ")}${keys.length > 4 ? ", …" : ""}}`;
}
