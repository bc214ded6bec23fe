import { formatTick, range, type Tick, timeAt } from "@aitrace/model";
import { type PointerEvent, useState } from "react";
import type { TimeScale } from "./useTimeScale.ts";
import type { View } from "./useView.ts";

/** Dragged less than this, in shares of the width, is a click. */
const MIN_DRAG = 0.01;

/** A label's width in pixels: where less is left, it stands before its tick. */
const LABEL = 48;

/** The axis above the bars; dragging across it zooms, a double click shows the whole trace. */
export function TimeAxis({ view, scale }: { view: View; scale: TimeScale }) {
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null);
  const at = (event: PointerEvent): number => {
    const box = event.currentTarget.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  };
  const stop = (): void => {
    if (drag === null) return;
    const [from, to] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
    if (to - from > MIN_DRAG) view.zoom(range(timeAt(from, view.range), timeAt(to, view.range)));
    setDrag(null);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the key z does the same without a pointer
    <div
      className="axis"
      ref={scale.axis}
      title="Drag to zoom, double click for the whole trace"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        setDrag({ from: at(event), to: at(event) });
      }}
      onPointerMove={(event) => drag && setDrag({ ...drag, to: at(event) })}
      onPointerUp={stop}
      onPointerCancel={() => setDrag(null)}
      onDoubleClick={() => view.zoom(null)}
    >
      {scale.ticks.map((tick) => (
        <span
          key={tick.ms}
          className="axis-tick"
          data-last={(1 - tick.at) * scale.width < LABEL || undefined}
          style={{ left: `${tick.at * 100}%` }}
        >
          {formatTick(tick.ms, scale.step)}
        </span>
      ))}
      {drag && Math.abs(drag.to - drag.from) > MIN_DRAG && (
        <span
          className="axis-drag"
          style={{ left: `${Math.min(drag.from, drag.to) * 100}%`, width: `${Math.abs(drag.to - drag.from) * 100}%` }}
        />
      )}
    </div>
  );
}

/** The ticks as lines behind the bars. */
export function Gridlines({ ticks }: { ticks: readonly Tick[] }) {
  return (
    <div className="gridlines" aria-hidden="true">
      {ticks.map((tick) => (
        <span key={tick.ms} style={{ left: `${tick.at * 100}%` }} />
      ))}
    </div>
  );
}
