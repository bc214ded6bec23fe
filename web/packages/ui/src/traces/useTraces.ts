import {
  formatQuery,
  insertTrace,
  type LiveEvent,
  latestTraces,
  mergeTraces,
  type TracePage,
  type TraceSummary,
  type TracesRoute,
  traceKey,
} from "@aitrace/model";
import { type InfiniteData, useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { type ApiFailure, getTraces } from "../api.ts";
import { useFeed } from "../feed.ts";
import { useHost } from "../host.ts";

type Pages = InfiniteData<TracePage, string | null>;

export interface Traces {
  readonly traces: readonly TraceSummary[];
  readonly loading: boolean;
  readonly error: ApiFailure | null;
  readonly hasMore: boolean;
  readonly loadingMore: boolean;
  /** New traces that are held back, so that the list does not move under the reader. */
  readonly held: number;
  more(): void;
  /** Shows what was held back. */
  release(): void;
  reload(): void;
}

/** Whether the filter is known to take the trace; words are the server's to judge. */
function matches(trace: TraceSummary, filter: TracesRoute): boolean {
  return (
    (filter.project === null || trace.project === filter.project) &&
    (filter.sessionId === null || trace.sessionId === filter.sessionId) &&
    (filter.status === null || trace.status === filter.status)
  );
}

function insertAll(data: Pages, fresh: Iterable<TraceSummary>): Pages {
  const complete = data.pages.at(-1)?.next === null;
  let pages = data.pages.map((page) => page.traces);
  for (const trace of fresh) pages = [...insertTrace(pages, trace, complete)];
  return { ...data, pages: data.pages.map((page, i) => ({ ...page, traces: pages[i] ?? page.traces })) };
}

/** The list for a filter: pages from the server, kept current by live events. `still` while rows must not move. */
export function useTraces(filter: TracesRoute, still: () => boolean): Traces {
  const host = useHost();
  const client = useQueryClient();
  const { project, sessionId, status, q } = filter;
  const key = useMemo(() => ["traces", { project, sessionId, status, q: q.trim() }], [project, sessionId, status, q]);
  const [held, setHeld] = useState<{ key: unknown; traces: ReadonlyMap<string, TraceSummary> }>({
    key,
    traces: new Map(),
  });
  const waiting: ReadonlyMap<string, TraceSummary> = held.key === key ? held.traces : new Map();

  const onBatch = (events: readonly LiveEvent[]): void => {
    const updates = latestTraces(events);
    if (updates.size === 0) return;
    let fresh: TraceSummary[] = [];
    client.setQueryData<Pages>(key, (data) => {
      if (data === undefined) return data;
      const merged = mergeTraces(
        data.pages.flatMap((page) => page.traces),
        updates,
      );
      fresh = merged.fresh.filter((trace) => matches(trace, filter));
      const byId = new Map(merged.traces.map((trace) => [traceKey(trace), trace]));
      const pages = data.pages.map((page) => ({
        ...page,
        traces: page.traces.map((trace) => byId.get(traceKey(trace)) ?? trace),
      }));
      const next = { ...data, pages };
      return q.trim() !== "" || still() ? next : insertAll(next, fresh);
    });
    if (fresh.length > 0 && (q.trim() !== "" || still())) {
      setHeld({ key, traces: new Map([...waiting, ...fresh.map((trace) => [traceKey(trace), trace] as const)]) });
    }
  };

  const reload = (): void => void client.invalidateQueries({ queryKey: key });
  const feed = useFeed(`/api/live${formatQuery([["project", project]])}`, { batch: onBatch, reset: reload });

  const query = useInfiniteQuery<TracePage, ApiFailure, Pages, unknown[], string | null>({
    queryKey: key,
    initialPageParam: null,
    queryFn: async ({ pageParam, signal }) => {
      const { result, events } = await feed.during(() => getTraces(host, filter, pageParam, signal));
      return { ...result, traces: mergeTraces(result.traces, latestTraces(events)).traces };
    },
    getNextPageParam: (page) => page.next,
  });

  const traces = useMemo(() => unique(query.data?.pages.flatMap((page) => page.traces) ?? []), [query.data]);
  return {
    traces,
    loading: query.isPending,
    error: query.error,
    hasMore: query.hasNextPage,
    loadingMore: query.isFetchingNextPage,
    held: waiting.size,
    more: () => void (query.hasNextPage && !query.isFetchingNextPage && query.fetchNextPage()),
    release: () => {
      setHeld({ key, traces: new Map() });
      reload();
    },
    reload,
  };
}

/** Pages read at different moments may overlap. */
function unique(traces: readonly TraceSummary[]): TraceSummary[] {
  const seen = new Set<string>();
  return traces.filter((trace) => {
    const id = traceKey(trace);
    if (seen.has(id)) return false;
    seen.add(id);
    return true;
  });
}
