import type { Span } from "@aitrace/model";
import { useQuery } from "@tanstack/react-query";
import { type ApiFailure, getSpan } from "../api.ts";
import { useHost } from "../host.ts";

export interface WholeReading {
  /** `undefined` while it is being read. */
  readonly whole: Span | undefined;
  readonly error: ApiFailure | null;
  reload(): void;
}

/** A span with its contents: itself, or as the server has it where only its place in the tree is known. */
export function useWhole(span: Span): WholeReading {
  const host = useHost();
  const { traceId, spanId, project, status, bare } = span;
  const query = useQuery<Span, ApiFailure>({
    // What changes about a span comes with a new state of it.
    queryKey: ["span", project, traceId, spanId, status],
    enabled: bare,
    staleTime: Number.POSITIVE_INFINITY,
    structuralSharing: false,
    queryFn: ({ signal }) => getSpan(host, span, signal),
  });
  return {
    whole: bare ? query.data : span,
    error: bare ? query.error : null,
    reload: () => void query.refetch(),
  };
}
