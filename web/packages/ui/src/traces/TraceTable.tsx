import {
  formatAgo,
  formatCost,
  formatCount,
  formatDateTime,
  formatDuration,
  formatRunning,
  formatTokens,
  href,
  millisBetween,
  type Nanos,
  type TraceRoute,
  type TraceSummary,
  traceKey,
} from "@aitrace/model";
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, type RefObject, useEffect, useMemo, useState } from "react";
import { useNow } from "../clock.ts";
import { useHost } from "../host.ts";
import { useKeys } from "../keys.ts";
import { StatusDot } from "../parts/Status.tsx";
import { Link } from "../router.tsx";
import type { Traces } from "./useTraces.ts";

export const ROW = 36;
/** Where each list was left, so that coming back finds it there. */
const places = new Map<string, { offset: number; active: string | null }>();

const COLUMNS = ["", "Name", "Project", "Started", "Duration", "Spans", "Errors", "Tokens", "Cost"] as const;
const NUMERIC = new Set(["Duration", "Spans", "Errors", "Tokens", "Cost"]);

interface TraceTableProps {
  readonly list: Traces;
  readonly scroller: RefObject<HTMLDivElement | null>;
  /** The list's own address. */
  readonly address: string;
}

function nextActive(traces: readonly TraceSummary[], active: string | null, step: number): TraceSummary | undefined {
  const index = traces.findIndex((trace) => traceKey(trace) === active);
  if (index < 0) return traces[0];
  return traces[Math.min(traces.length - 1, Math.max(0, index + step))];
}

/** Ids that more than one project uses. */
function sharedIds(traces: readonly TraceSummary[]): ReadonlySet<string> {
  const seen = new Set<string>();
  return new Set(traces.map((trace) => trace.traceId).filter((id) => seen.size === seen.add(id).size));
}

function routeTo({ traceId, project }: TraceSummary, ambiguous: boolean): TraceRoute {
  return { page: "trace", traceId, spanId: null, project: ambiguous ? project : null };
}

/** Remembers where a list stands. */
function useRemembered(scroller: RefObject<HTMLDivElement | null>, address: string, active: string | null): void {
  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const remember = (): void => void places.set(address, { offset: element.scrollTop, active });
    remember();
    element.addEventListener("scroll", remember, { passive: true });
    return () => element.removeEventListener("scroll", remember);
  }, [address, active, scroller]);
}

interface RowKeysInput {
  readonly traces: readonly TraceSummary[];
  readonly active: string | null;
  readonly shared: ReadonlySet<string>;
}

/** Arrows choose a trace, Enter opens it. */
function useRowKeys({ traces, active, shared }: RowKeysInput, choose: (trace: TraceSummary) => void): void {
  const host = useHost();
  useKeys((event) => {
    const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
    if (step !== undefined) {
      const next = nextActive(traces, active, step);
      if (next === undefined) return false;
      choose(next);
      return true;
    }
    if (event.key !== "Enter" || active === null || event.target !== document.body) return false;
    const chosen = traces.find((trace) => traceKey(trace) === active);
    if (chosen === undefined) return false;
    host.location.push(href(routeTo(chosen, shared.has(chosen.traceId))));
    return true;
  });
}

function Head() {
  return (
    <div className="table-row table-head" role="row">
      {COLUMNS.map((column) => (
        <span key={column} role="columnheader" className={NUMERIC.has(column) ? "num" : ""}>
          {column || <span className="hidden">Status</span>}
        </span>
      ))}
    </div>
  );
}

export function TraceTable({ list, scroller, address }: TraceTableProps) {
  const { traces } = list;
  const [active, setActive] = useState<string | null>(places.get(address)?.active ?? null);
  const shared = useMemo(() => sharedIds(traces), [traces]);
  const anyRunning = traces.some((trace) => trace.status === "running");
  const fast = useNow(anyRunning ? 100 : null);
  const slow = useNow(1000);
  const virtual = useVirtualizer({
    count: traces.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 12,
    initialOffset: places.get(address)?.offset ?? 0,
    getItemKey: (index) => {
      const trace = traces[index];
      return trace ? traceKey(trace) : index;
    },
  });
  const items = virtual.getVirtualItems();
  const end = items.at(-1)?.index ?? 0;
  const { hasMore, more } = list;
  // biome-ignore lint/correctness/useExhaustiveDependencies: `more` is new on each drawing
  useEffect(() => {
    if (hasMore && end >= traces.length - 20) more();
  }, [hasMore, end, traces.length]);
  useRemembered(scroller, address, active);
  useRowKeys({ traces, active, shared }, (next) => {
    setActive(traceKey(next));
    virtual.scrollToIndex(traces.indexOf(next));
  });

  return (
    <div
      className="table"
      role="table"
      aria-label="Traces"
      aria-rowcount={list.hasMore ? -1 : traces.length}
      aria-busy={list.loading}
    >
      <Head />
      <div className="table-body scroller" ref={scroller}>
        <div className="table-rows" style={{ height: virtual.getTotalSize() }}>
          {items.map((item) => {
            const trace = traces[item.index];
            return (
              trace && (
                <TraceRow
                  key={item.key}
                  trace={trace}
                  ambiguous={shared.has(trace.traceId)}
                  index={item.index}
                  top={item.start}
                  active={traceKey(trace) === active}
                  now={trace.status === "running" ? fast : slow}
                />
              )
            );
          })}
        </div>
        {list.loadingMore && <div className="more">Loading more…</div>}
      </div>
    </div>
  );
}

interface TraceRowProps {
  readonly trace: TraceSummary;
  /** Another project has a trace of this id. */
  readonly ambiguous: boolean;
  readonly index: number;
  readonly top: number;
  readonly active: boolean;
  readonly now: Nanos;
}

function Duration({ trace, now }: { trace: TraceSummary; now: Nanos }) {
  if (trace.status === "running" && trace.start !== null) return formatRunning(millisBetween(trace.start, now));
  return trace.durationMs === null ? "–" : formatDuration(trace.durationMs);
}

function Tokens({ trace }: { trace: TraceSummary }) {
  const { inputTokens, outputTokens } = trace;
  if (inputTokens === null && outputTokens === null) return null;
  const total = (inputTokens ?? 0) + (outputTokens ?? 0);
  const title = `${formatCount(inputTokens ?? 0)} in, ${formatCount(outputTokens ?? 0)} out`;
  return <span title={title}>{formatTokens(total)}</span>;
}

const TraceRow = memo(function TraceRow({ trace, ambiguous, index, top, active, now }: TraceRowProps) {
  return (
    <div
      className="table-row"
      role="row"
      aria-rowindex={index + 1}
      data-active={active || undefined}
      data-trace={trace.traceId}
      style={{ transform: `translateY(${top}px)` }}
    >
      <Cell>
        <StatusDot status={trace.status} />
      </Cell>
      <Cell className="name">
        <Link to={routeTo(trace, ambiguous)} title={trace.name}>
          {trace.name || <em>unnamed</em>}
        </Link>
      </Cell>
      <Cell className="muted">
        <span title={trace.project}>{trace.project}</span>
      </Cell>
      <Cell className="muted started">
        {trace.start !== null && (
          <>
            <span>{formatAgo(trace.start, now)}</span>
            <span className="absolute">{formatDateTime(trace.start)}</span>
          </>
        )}
      </Cell>
      <Cell className="num">
        <span className={trace.status === "running" ? "growing" : ""}>
          <Duration trace={trace} now={now} />
        </span>
      </Cell>
      <Cell className="num muted">{formatCount(trace.spans)}</Cell>
      <Cell className="num">
        {trace.errors > 0 && <span className="count-error">{formatCount(trace.errors)}</span>}
      </Cell>
      <Cell className="num muted">
        <Tokens trace={trace} />
      </Cell>
      <Cell className="num muted">{trace.cost !== null && formatCost(trace.cost)}</Cell>
    </div>
  );
});

function Cell({ className = "", children }: { className?: string; children?: React.ReactNode }) {
  return (
    <span role="cell" className={className}>
      {children}
    </span>
  );
}
