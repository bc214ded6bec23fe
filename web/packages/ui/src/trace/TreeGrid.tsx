import "../css/grid.css";
import type { Row, TraceState } from "@aitrace/model";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type MouseEvent, useEffect, useLayoutEffect, useMemo, useRef } from "react";
import { Splitter, useSize } from "../parts/Splitter.tsx";
import { LogRowView, SpanRowView } from "./Rows.tsx";
import { Gridlines, TimeAxis } from "./TimeAxis.tsx";
import type { Navigation } from "./useNavigation.ts";
import { useTimeScale } from "./useTimeScale.ts";
import type { View } from "./useView.ts";

/** Height of a row in pixels; the style sheet has the same. */
export const ROW = 28;

interface TreeGridProps {
  readonly state: TraceState;
  readonly view: View;
  readonly selected: string | null;
  select(key: string): void;
  readonly navigation: Navigation;
}

/** The id of a row's element, for `aria-activedescendant`. */
function domId(key: string): string {
  return `row-${key}`;
}

/** Keeps the row at the top where it is when rows come in above it. */
function useAnchor(
  rows: readonly Row[],
  index: ReadonlyMap<string, number>,
  scroller: React.RefObject<HTMLDivElement | null>,
): void {
  const anchor = useRef<{ key: string; offset: number } | null>(null);
  useLayoutEffect(() => {
    const element = scroller.current;
    const held = anchor.current;
    if (!element || held === null) return;
    const at = index.get(held.key);
    if (at !== undefined && element.scrollTop > 0 && at * ROW - held.offset !== element.scrollTop) {
      element.scrollTop = at * ROW - held.offset;
    }
  }, [index, scroller]);
  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const remember = (): void => {
      const at = Math.floor(element.scrollTop / ROW);
      const row = rows[at];
      anchor.current = row ? { key: row.key, offset: at * ROW - element.scrollTop } : null;
    };
    remember();
    element.addEventListener("scroll", remember, { passive: true });
    return () => element.removeEventListener("scroll", remember);
  }, [rows, scroller]);
}

/** Scrolls to a newly selected row, and opens what hides it. */
function useShown({ index, show }: View, selected: string | null, scrollTo: (at: number) => void): void {
  const shown = useRef<string | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: only a new selection moves the view, not new rows
  useEffect(() => {
    if (selected === null || shown.current === selected) return;
    const at = index.get(selected);
    if (at === undefined) show(selected);
    else {
      shown.current = selected;
      scrollTo(at);
    }
  }, [selected, index]);
}

/** One listener for all rows: rows come and go with each scrolled pixel. */
function useClicks(view: View, select: (key: string) => void) {
  const place = (event: MouseEvent) => {
    const target = event.target as Element;
    const key = target.closest<HTMLElement>("[data-key]")?.dataset["key"];
    return { key, twist: target.closest("[data-toggle]") !== null };
  };
  return {
    onClick: (event: MouseEvent): void => {
      const { key, twist } = place(event);
      if (key === undefined) return;
      if (twist) view.toggle(key);
      else select(key);
    },
    onDoubleClick: (event: MouseEvent): void => {
      const { key, twist } = place(event);
      if (key !== undefined && !twist) view.toggle(key);
    },
  };
}

interface GridRowProps extends Pick<TreeGridProps, "state" | "view" | "selected"> {
  readonly index: number;
  readonly top: number;
}

function GridRow({ state, view, selected, index, top }: GridRowProps) {
  const row = view.rows[index];
  if (row === undefined) return null;
  const common = {
    domId: domId(row.key),
    top,
    index,
    selected: row.key === selected,
    matching: view.matching.has(row.key),
    query: view.query,
    range: view.range,
  };
  if (row.type === "log") return <LogRowView row={row} {...common} />;
  const span = state.spans.get(row.id);
  const node = state.tree.nodes.get(row.id);
  if (span === undefined || node === undefined) return null;
  const { expandable, expanded, depth } = row;
  const now = span.status === "running" ? view.now : null;
  return (
    <SpanRowView
      span={span}
      node={node}
      depth={depth}
      expandable={expandable}
      expanded={expanded}
      now={now}
      {...common}
    />
  );
}

export function TreeGrid({ state, view, selected, select, navigation }: TreeGridProps) {
  const scroller = navigation.tree;
  const names = useSize("names", 0.46, 0.2, 0.8);
  const scale = useTimeScale(view, scroller);
  const virtual = useVirtualizer({
    count: view.rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 16,
    getItemKey: (index) => view.rows[index]?.key ?? index,
  });
  useAnchor(view.rows, view.index, scroller);
  const deepest = useMemo(() => view.rows.reduce((most, row) => Math.max(most, row.depth), 1), [view.rows]);

  useShown(view, selected, (at) => virtual.scrollToIndex(at, { align: "auto" }));
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when the page opens
  useEffect(() => scroller.current?.focus({ preventScroll: true }), []);

  const listeners = useClicks(view, select);

  const columns = { "--share": names.value.toFixed(4), "--deepest": deepest } as React.CSSProperties;
  return (
    <div className="grid" style={columns} data-live={view.running || undefined}>
      <div className="grid-head">
        <span>Name</span>
        <span className="num">Duration</span>
        <TimeAxis view={view} scale={scale} />
      </div>
      <div className="grid-frame">
        <Gridlines ticks={scale.ticks} />
        <div
          className="grid-body scroller"
          ref={scroller}
          role="treegrid"
          aria-label="Spans of the trace"
          aria-rowcount={view.rows.length}
          aria-activedescendant={selected === null ? undefined : domId(selected)}
          tabIndex={0}
          {...listeners}
        >
          <div className="grid-rows" style={{ height: virtual.getTotalSize() }}>
            {virtual.getVirtualItems().map((item) => (
              <GridRow
                key={item.key}
                state={state}
                view={view}
                selected={selected}
                index={item.index}
                top={item.start}
              />
            ))}
          </div>
        </div>
        <Splitter size={names} label="Width of the names" className="names-splitter" />
      </div>
    </div>
  );
}
