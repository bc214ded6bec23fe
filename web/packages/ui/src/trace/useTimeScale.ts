import { pan, type Tick, ticks, zoom } from "@aitrace/model";
import { type RefObject, useEffect, useMemo, useRef, useState } from "react";
import type { View } from "./useView.ts";

export interface TimeScale {
  readonly ticks: readonly Tick[];
  /** Milliseconds between two ticks. */
  readonly step: number;
  /** Pixels of the visible range. */
  readonly width: number;
  /** On the element whose width is the visible range. */
  readonly axis: RefObject<HTMLDivElement | null>;
}

/** Ticks for the axis as wide as it is, and zooming with the wheel over the timeline. */
export function useTimeScale(view: View, scroller: RefObject<HTMLDivElement | null>): TimeScale {
  const axis = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(600);
  useEffect(() => {
    const element = axis.current;
    if (!element) return;
    const observer = new ResizeObserver(([entry]) => entry && setWidth(Math.round(entry.contentRect.width)));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const latest = useRef(view);
  useEffect(() => {
    latest.current = view;
  });
  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const onWheel = (event: WheelEvent): void => {
      const box = axis.current?.getBoundingClientRect();
      const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
      if (!box || event.clientX < box.left || !(event.ctrlKey || event.metaKey || sideways)) return;
      event.preventDefault();
      const { range, bounds, zoom: set } = latest.current;
      if (sideways) set(pan(range, event.deltaX / box.width, bounds));
      else set(zoom(range, 1.0025 ** event.deltaY, (event.clientX - box.left) / box.width, bounds));
    };
    // Not passive: otherwise the browser would zoom the page.
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, [scroller]);

  const marks = useMemo(
    () => ticks(view.range, view.bounds.from, Math.max(80, width)),
    [view.range, view.bounds.from, width],
  );
  const step = marks.length > 1 ? (marks[1]?.ms ?? 0) - (marks[0]?.ms ?? 0) : (marks[0]?.ms ?? 1) || 1;
  return { ticks: marks, step, width, axis };
}
