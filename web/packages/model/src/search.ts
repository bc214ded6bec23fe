/** Search within one trace: which spans and logs hold the text, in the order of the tree. */

import type { LogRecord, Span } from "./api.ts";
import { type Json, stringify } from "./json.ts";
import { ancestors, flatten, type Row, type SpanMap, type Tree } from "./tree.ts";

const texts = new WeakMap<Span | LogRecord, string>();

function jsonText(value: Json): string {
  return value === null ? "" : typeof value === "string" ? value : stringify(value);
}

/** All that a span says, in lower case; made once for each span. */
function spanText(span: Span): string {
  let text = texts.get(span);
  if (text === undefined) {
    const parts = [
      span.name,
      span.kind,
      span.status,
      span.model,
      span.provider,
      span.spanId,
      span.code?.file,
      span.code?.function,
    ];
    if (span.error) parts.push(span.error.type, span.error.message);
    for (const value of [
      span.inputs,
      span.outputs,
      span.metadata,
      span.metrics,
      span.feedback,
      span.config,
      span.attributes,
    ]) {
      parts.push(jsonText(value));
    }
    text = parts.filter(Boolean).join("\n").toLowerCase();
    texts.set(span, text);
  }
  return text;
}

function logText(log: LogRecord): string {
  let text = texts.get(log);
  if (text === undefined) {
    text = [log.event, log.level, log.logger ?? "", jsonText(log.attrs)].join("\n").toLowerCase();
    texts.set(log, text);
  }
  return text;
}

/** Every word of `query` must occur; the order and case of words do not matter. */
function matcher(query: string): ((text: string) => boolean) | undefined {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return words.length === 0 ? undefined : (text) => words.every((word) => text.includes(word));
}

/** Keys of all rows that match, collapsed ones included, from top to bottom. Empty for an empty query. */
export function searchTrace(spans: SpanMap, tree: Tree, logs: readonly LogRecord[], query: string): string[] {
  const matches = matcher(query);
  if (matches === undefined) return [];
  const rows = flatten(tree, spans, { collapsed: new Set(), logs });
  return rows.filter((row) => rowMatches(row, spans, matches)).map((row) => row.key);
}

function rowMatches(row: Row, spans: SpanMap, matches: (text: string) => boolean): boolean {
  if (row.type === "log") return matches(logText(row.log));
  const span = spans.get(row.id);
  return span !== undefined && matches(spanText(span));
}

/** `collapsed` without what hides the row `key`. */
export function reveal(key: string, spans: SpanMap, tree: Tree, collapsed: ReadonlySet<string>): ReadonlySet<string> {
  const span = key.startsWith("log:") ? (key.split(":")[1] ?? "") : key;
  const hiding = ancestors(spans, tree, span);
  if (span !== key && span !== "") hiding.push(span);
  if (!hiding.some((id) => collapsed.has(id))) return collapsed;
  const result = new Set(collapsed);
  for (const id of hiding) result.delete(id);
  return result;
}

/** `text` cut where words of `query` stand: odd parts match. */
export function highlight(text: string, query: string): string[] {
  const words = query
    .split(/\s+/)
    .filter(Boolean)
    .map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return words.length === 0 ? [text] : text.split(new RegExp(`(${words.join("|")})`, "i"));
}
