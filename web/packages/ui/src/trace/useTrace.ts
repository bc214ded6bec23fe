import { applyEvents, formatQuery, type LiveEvent, type TraceState, traceState } from "@aitrace/model";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type ApiFailure, getTrace } from "../api.ts";
import { useFeed } from "../feed.ts";
import { useHost } from "../host.ts";

export interface TraceReading {
  readonly state: TraceState | undefined;
  readonly error: ApiFailure | null;
  reload(): void;
}

/** A trace, read once and kept current by live events. */
export function useTrace(traceId: string, project: string | null): TraceReading {
  const host = useHost();
  const client = useQueryClient();
  const key = ["trace", traceId, project];
  const reload = (): void => void client.invalidateQueries({ queryKey: key });
  const batch = (events: readonly LiveEvent[]): void => {
    const old = client.getQueryData<TraceState>(key);
    // Nothing could be read before, and now something happens: the trace has begun.
    if (old === undefined) reload();
    else client.setQueryData<TraceState>(key, applyEvents(old, events));
  };
  const feed = useFeed(
    `/api/live${formatQuery([
      ["trace_id", traceId],
      ["project", project],
    ])}`,
    { batch, reset: reload },
  );
  const query = useQuery<TraceState, ApiFailure>({
    queryKey: key,
    structuralSharing: false,
    queryFn: async ({ signal }) => {
      const { result, events } = await feed.during(() => getTrace(host, traceId, project, signal));
      return applyEvents(traceState(result), events);
    },
  });
  return { state: query.data, error: query.error, reload };
}
