import {
  extent,
  flatten,
  growingRange,
  type Nanos,
  type Range,
  type Row,
  range,
  reveal,
  searchTrace,
  shownEnd,
  type TraceState,
} from "@aitrace/model";
import { useDeferredValue, useMemo, useState } from "react";
import { useNow } from "../clock.ts";
import { useHost } from "../host.ts";

/** What is shown of a trace, and how: rows, search, the visible stretch of time. */
export interface View {
  readonly rows: readonly Row[];
  readonly index: ReadonlyMap<string, number>;
  /** The whole trace. */
  readonly bounds: Range;
  /** The part that the timeline shows. */
  readonly range: Range;
  readonly zoomed: boolean;
  readonly running: boolean;
  readonly now: Nanos;
  readonly logs: boolean;
  readonly query: string;
  /** Keys of the rows that match the query, top to bottom. */
  readonly hits: readonly string[];
  readonly matching: ReadonlySet<string>;
  setQuery(query: string): void;
  toggle(id: string, expand?: boolean): void;
  collapseAll(): void;
  expandAll(): void;
  toggleLogs(): void;
  /** Opens what hides the row `key`. */
  show(key: string): void;
  /** `null` shows the whole trace. */
  zoom(range: Range | null): void;
}

function useTime(state: TraceState): Pick<View, "bounds" | "running" | "now"> {
  const running = useMemo(() => [...state.spans.values()].some((span) => span.status === "running"), [state.spans]);
  const now = useNow(running ? 100 : null);
  // What ended is measured once; only the end of what runs follows the clock.
  const still = useMemo(() => extent(state.spans, state.logs, 0n as Nanos), [state.spans, state.logs]);
  const from = still?.from ?? now;
  const last = still?.to ?? now;
  const to = running && now > last ? now : last;
  const whole = running ? growingRange(from, to) : range(from, to);
  // The same moments are the same object, so that rows need not be drawn again.
  const bounds = useMemo(() => range(whole.from, whole.to), [whole.from, whole.to]);
  return { bounds, running, now: running && now < last ? last : now };
}

export function useView(state: TraceState): View {
  const host = useHost();
  const [collapsed, setCollapsed] = useState<ReadonlySet<string>>(new Set());
  const [logs, setLogs] = useState(() => host.load("logs") !== false);
  const [query, setQuery] = useState("");
  const [zoomed, setZoomed] = useState<Range | null>(null);
  const { bounds, running, now } = useTime(state);
  const shownLogs = logs ? state.logs : NONE;

  const rows = useMemo(
    () => flatten(state.tree, state.spans, { collapsed, logs: shownLogs }),
    [state.tree, state.spans, collapsed, shownLogs],
  );
  const index = useMemo(() => new Map(rows.map((row, i) => [row.key, i])), [rows]);
  const searched = useDeferredValue(query);
  const hits = useMemo(
    () => searchTrace(state.spans, state.tree, shownLogs, searched),
    [state.spans, state.tree, shownLogs, searched],
  );
  const matching = useMemo(() => new Set(hits), [hits]);

  return {
    rows,
    index,
    bounds,
    range: zoomed ?? bounds,
    zoomed: zoomed !== null,
    running,
    now,
    logs,
    query,
    hits,
    matching,
    setQuery,
    toggle: (id, expand) =>
      setCollapsed((old) => {
        const next = new Set(old);
        if (expand ?? old.has(id)) next.delete(id);
        else next.add(id);
        return next;
      }),
    collapseAll: () =>
      setCollapsed(new Set([...state.tree.nodes.values()].filter((node) => node.depth > 0).map((node) => node.id))),
    expandAll: () => setCollapsed(new Set()),
    toggleLogs: () => {
      setLogs(!logs);
      host.save("logs", !logs);
    },
    show: (key) => setCollapsed((old) => reveal(key, state.spans, state.tree, old)),
    zoom: (next) => setZoomed(next === null || (next.from <= bounds.from && next.to >= bounds.to) ? null : next),
  };
}

const NONE: readonly never[] = [];

/** The stretch of time to show for one span: itself with a little air around. */
export function spanRange(state: TraceState, id: string, view: View): Range | null {
  const span = state.spans.get(id);
  if (span === undefined) return null;
  const end = shownEnd(span, view.now);
  const air = (end - span.start) / 20n;
  return range((span.start - air) as Nanos, (end + air) as Nanos);
}
