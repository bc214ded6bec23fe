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

  const { index, show } = view;
  const shown = useRef<string | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: only a new selection moves the view, not new rows
  useEffect(() => {
    if (selected === null || shown.current === selected) return;
    const at = index.get(selected);
    if (at === undefined) show(selected);
    else {
      shown.current = selected;
      virtual.scrollToIndex(at, { align: "auto" });
    }
  }, [selected, index]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when the page opens
  useEffect(() => scroller.current?.focus({ preventScroll: true }), []);

  // One listener for all rows: rows come and go with each scrolled pixel.
  const onClick = (event: MouseEvent): void => {
    const element = (event.target as Element).closest<HTMLElement>("[data-key]");
    const key = element?.dataset["key"];
    if (key === undefined) return;
    if ((event.target as Element).closest("[data-toggle]")) view.toggle(key);
    else select(key);
  };
  const onDoubleClick = (event: MouseEvent): void => {
    const key = (event.target as Element).closest<HTMLElement>("[data-key]")?.dataset["key"];
    if (key !== undefined && !(event.target as Element).closest("[data-toggle]")) view.toggle(key);
  };

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
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: the page's keys do all that clicks do */}
        <div
          className="grid-body scroller"
          ref={scroller}
          role="treegrid"
          aria-label="Spans of the trace"
          aria-rowcount={view.rows.length}
          aria-activedescendant={selected === null ? undefined : domId(selected)}
          tabIndex={0}
          onClick={onClick}
          onDoubleClick={onDoubleClick}
        >
          <div className="grid-rows" style={{ height: virtual.getTotalSize() }}>
            {virtual.getVirtualItems().map((item) => {
              const row = view.rows[item.index];
              if (row === undefined) return null;
              const common = {
                domId: domId(row.key),
                top: item.start,
                index: item.index,
                selected: row.key === selected,
                matching: view.matching.has(row.key),
                query: view.query,
                range: view.range,
              };
              if (row.type === "log") return <LogRowView key={row.key} row={row} {...common} />;
              const span = state.spans.get(row.id);
              const node = state.tree.nodes.get(row.id);
              if (span === undefined || node === undefined) return null;
              const { expandable, expanded, depth } = row;
              return (
                <SpanRowView
                  key={row.key}
                  span={span}
                  node={node}
                  depth={depth}
                  expandable={expandable}
                  expanded={expanded}
                  now={span.status === "running" ? view.now : null}
                  {...common}
                />
              );
            })}
          </div>
        </div>
        <Splitter size={names} label="Width of the names" className="names-splitter" />
      </div>
    </div>
  );
}
