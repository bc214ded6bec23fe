import { type KeyboardEvent, type PointerEvent, useState } from "react";
import { useHost } from "../host.ts";

interface Size {
  /** Share of the container's width, 0 to 1. */
  readonly value: number;
  /** Sets it while dragging. */
  set(value: number): void;
  /** Remembers it. */
  commit(value: number): void;
  readonly min: number;
  readonly max: number;
}

/** A share of a width that the reader sets and the host remembers. */
export function useSize(key: string, initial: number, min: number, max: number): Size {
  const host = useHost();
  const [value, setValue] = useState(() => {
    const saved = host.load(key);
    return typeof saved === "number" && saved >= min && saved <= max ? saved : initial;
  });
  const clamp = (next: number): number => Math.min(max, Math.max(min, next));
  return {
    value,
    min,
    max,
    set: (next) => setValue(clamp(next)),
    commit: (next) => {
      setValue(clamp(next));
      host.save(key, clamp(next));
    },
  };
}

interface SplitterProps {
  readonly size: Size;
  readonly label: string;
  /** Whether the sized part is on the right of the splitter. */
  readonly reverse?: boolean;
  readonly className?: string;
}

/** The line between two parts; drag it, or use the arrow keys. */
export function Splitter({ size, label, reverse = false, className = "" }: SplitterProps) {
  const drag = (event: PointerEvent<HTMLElement>): void => {
    const container = event.currentTarget.parentElement?.getBoundingClientRect();
    if (!container || event.button !== 0) return;
    event.preventDefault();
    const handle = event.currentTarget;
    handle.setPointerCapture(event.pointerId);
    const share = (x: number): number => {
      const fraction = (x - container.left) / container.width;
      return reverse ? 1 - fraction : fraction;
    };
    const move = (moved: globalThis.PointerEvent): void => size.set(share(moved.clientX));
    const stop = (stopped: globalThis.PointerEvent): void => {
      handle.removeEventListener("pointermove", move);
      handle.removeEventListener("pointerup", stop);
      size.commit(share(stopped.clientX));
    };
    handle.addEventListener("pointermove", move);
    handle.addEventListener("pointerup", stop);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = event.key === "ArrowLeft" ? -0.02 : event.key === "ArrowRight" ? 0.02 : 0;
    if (step === 0) return;
    event.preventDefault();
    size.commit(size.value + (reverse ? -step : step));
  };
  return (
    <div
      className={`splitter ${className}`}
      role="separator"
      aria-orientation="vertical"
      aria-label={label}
      aria-valuenow={Math.round(size.value * 100)}
      aria-valuemin={Math.round(size.min * 100)}
      aria-valuemax={Math.round(size.max * 100)}
      tabIndex={0}
      onPointerDown={drag}
      onKeyDown={onKeyDown}
    />
  );
}
