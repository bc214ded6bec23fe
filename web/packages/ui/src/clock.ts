/** Now, as the server has it, and a pulse for what shows the time passing. */

import { fromMillis, type Nanos } from "@aitrace/model";
import { useEffect, useState } from "react";

/** Below this the clocks count as one: the server's is known to the second only. */
const TOLERANCE_MS = 2_500;
let skewMs = 0;

/** Learns from an answer how far the server's clock is from this machine's. */
export function observeServerTime(serverMs: number): void {
  const difference = serverMs - Date.now();
  skewMs = Math.abs(difference) > TOLERANCE_MS ? difference : 0;
}

/** The present moment, by the server's clock. */
export function now(): Nanos {
  return fromMillis(Date.now() + skewMs);
}

/** The present moment, again each `interval` milliseconds; with `null` it stands still. */
export function useNow(interval: number | null): Nanos {
  const [time, setTime] = useState(now);
  useEffect(() => {
    if (interval === null) return;
    setTime(now());
    const timer = setInterval(() => setTime(now()), interval);
    return () => clearInterval(timer);
  }, [interval]);
  return time;
}
