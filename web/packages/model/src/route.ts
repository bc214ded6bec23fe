/** The viewer's addresses. `parseRoute` and `href` are each other's inverse on every route. */

import { STATUSES, type Status } from "./api.ts";

export interface TracesRoute {
  readonly page: "traces";
  readonly project: string | null;
  readonly sessionId: string | null;
  readonly status: Status | null;
  readonly q: string;
}

export interface TraceRoute {
  readonly page: "trace";
  readonly traceId: string;
  readonly spanId: string | null;
  /** Set where the id alone does not say which: two projects may use the same. */
  readonly project: string | null;
}

/** An address that this version of the viewer does not know. */
export interface UnknownRoute {
  readonly page: "unknown";
  readonly path: string;
}

export type Route = TracesRoute | TraceRoute | UnknownRoute;

export const ALL_TRACES: TracesRoute = { page: "traces", project: null, sessionId: null, status: null, q: "" };

/** `location` is a path with query and hash, as in `/trace/1f…#2a…`. */
export function parseRoute(location: string): Route {
  const hashAt = location.indexOf("#");
  const hash = hashAt < 0 ? "" : location.slice(hashAt + 1);
  const rest = hashAt < 0 ? location : location.slice(0, hashAt);
  const queryAt = rest.indexOf("?");
  const path = queryAt < 0 ? rest : rest.slice(0, queryAt);
  const query = parseQuery(queryAt < 0 ? "" : rest.slice(queryAt + 1));
  if (path === "/" || path === "") return { ...ALL_TRACES, ...filters(query) };
  const [first, second, ...more] = path.slice(1).split("/");
  const id = second === undefined ? undefined : decode(second);
  if (more.length > 0 || !id) return { page: "unknown", path };
  if (first === "trace") {
    return { page: "trace", traceId: id, spanId: decode(hash) || null, project: query.get("project") || null };
  }
  if (first === "session") return { ...ALL_TRACES, ...filters(query), sessionId: id };
  return { page: "unknown", path };
}

function filters(query: ReadonlyMap<string, string>): Pick<TracesRoute, "project" | "sessionId" | "status" | "q"> {
  return {
    project: query.get("project") || null,
    sessionId: query.get("session_id") || null,
    status: STATUSES.find((status) => status === query.get("status")) ?? null,
    q: query.get("q") ?? "",
  };
}

export function href(route: Route): string {
  switch (route.page) {
    case "trace": {
      const hash = route.spanId === null ? "" : `#${encodeURIComponent(route.spanId)}`;
      return `/trace/${encodeURIComponent(route.traceId)}${formatQuery([["project", route.project]])}${hash}`;
    }
    case "traces": {
      return (
        "/" +
        formatQuery([
          ["project", route.project],
          ["session_id", route.sessionId],
          ["status", route.status],
          ["q", route.q],
        ])
      );
    }
    case "unknown":
      return route.path;
  }
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function parseQuery(text: string): Map<string, string> {
  const result = new Map<string, string>();
  for (const part of text.split("&")) {
    const at = part.indexOf("=");
    const key = decode(at < 0 ? part : part.slice(0, at));
    const value = decode((at < 0 ? "" : part.slice(at + 1)).replace(/\+/g, " "));
    if (key && value !== undefined && !result.has(key)) result.set(key, value);
  }
  return result;
}

/** `?a=1&b=2` without what is null or empty; the empty string for nothing. */
export function formatQuery(pairs: readonly (readonly [string, string | null])[]): string {
  const parts = pairs.filter(([, value]) => value !== null && value !== "");
  const text = parts.map(([key, value]) => `${key}=${encodeURIComponent(value ?? "")}`).join("&");
  return text === "" ? "" : `?${text}`;
}
