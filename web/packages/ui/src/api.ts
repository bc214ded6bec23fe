/** The API's reading routes, as promises of the model's types. */

import {
  decodeApiError,
  decodeProjects,
  decodeSkeleton,
  decodeSpan,
  decodeTraceDetail,
  decodeTracePage,
  formatQuery,
  type Json,
  parseJson,
  type Span,
  type TraceDetail,
  type TracePage,
  type TracesRoute,
} from "@aitrace/model";
import { observeServerTime } from "./clock.ts";
import type { Answer, Host } from "./host.ts";

/** Traces in one page of the list. */
export const PAGE_SIZE = 100;

/** Why something could not be read, in words for the reader. */
export class ApiFailure extends Error {
  override name = "ApiFailure";
  /** The HTTP status; 0 where there was no answer. */
  readonly status: number;
  readonly hint: string | null;

  constructor(status: number, message: string, hint: string | null) {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

const UNREADABLE = "This viewer and the server may be of different versions: reload the page.";

async function read(host: Host, path: string, signal: AbortSignal): Promise<Json> {
  let answer: Answer;
  try {
    answer = await host.get(path, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    throw new ApiFailure(0, "The server does not answer.", `Is \`aitrace serve\` running at ${host.serverUrl}?`);
  }
  if (answer.serverTime !== null) observeServerTime(answer.serverTime);
  let body: Json | undefined;
  try {
    body = parseJson(answer.text);
  } catch {
    body = undefined;
  }
  if (answer.status >= 200 && answer.status < 300 && body !== undefined) return body;
  const error = decodeApiError(body);
  if (error) throw new ApiFailure(answer.status, error.message, error.hint);
  throw new ApiFailure(answer.status, `The server answered ${answer.status} without a reason.`, UNREADABLE);
}

export async function getTraces(
  host: Host,
  filter: TracesRoute,
  cursor: string | null,
  signal: AbortSignal,
): Promise<TracePage> {
  const query = formatQuery([
    ["project", filter.project],
    ["session_id", filter.sessionId],
    ["status", filter.status],
    ["q", filter.q.trim()],
    ["limit", String(PAGE_SIZE)],
    ["cursor", cursor],
  ]);
  const page = decodeTracePage(await read(host, `/api/traces${query}`, signal));
  if (page === undefined) throw new ApiFailure(200, "The server's list of traces cannot be read.", UNREADABLE);
  return page;
}

/** Names of the projects that have traces. */
export async function getProjects(host: Host, signal: AbortSignal): Promise<string[]> {
  return decodeProjects(await read(host, "/api/projects", signal));
}

/** Traces of more spans are read as skeletons: contents of all would be many times as much as is ever looked at. */
export const WHOLE_SPANS = 3_000;

/**
 * A trace: whole, or without contents where it is large. The tree is asked for first, which costs a small trace a few
 * milliseconds and spares a large one many seconds.
 */
export async function getTrace(
  host: Host,
  traceId: string,
  project: string | null,
  signal: AbortSignal,
): Promise<TraceDetail> {
  const path = `/api/trace/${encodeURIComponent(traceId)}`;
  const query = formatQuery([["project", project]]);
  const skeleton = decodeSkeleton(await read(host, `${path}/skeleton${query}`, signal));
  if (skeleton === undefined) throw new ApiFailure(200, "The server's answer holds no trace.", UNREADABLE);
  if (skeleton.spans.length > WHOLE_SPANS) return skeleton;
  const detail = decodeTraceDetail(await read(host, path + query, signal));
  if (detail === undefined) throw new ApiFailure(200, "The server's answer holds no trace.", UNREADABLE);
  return detail;
}

/** One span with its contents. */
export async function getSpan(host: Host, span: Span, signal: AbortSignal): Promise<Span> {
  const place = `${encodeURIComponent(span.traceId)}/${encodeURIComponent(span.spanId)}`;
  const query = formatQuery([
    ["project", span.project],
    // Its place in the tree is known here, and costs the server a reading of the whole tree.
    ["place", "false"],
  ]);
  const path = `/api/span/${place}${query}`;
  const whole = decodeSpan(await read(host, path, signal));
  if (whole === undefined) throw new ApiFailure(200, "The server's answer holds no span.", UNREADABLE);
  return whole;
}
