/** Live events for a page: gathered and handed over in batches, so that a burst costs one drawing. */

import { decodeLiveEvent, type LiveEvent } from "@aitrace/model";
import { useEffect, useRef, useSyncExternalStore } from "react";
import { type Host, useHost } from "./host.ts";

/** Long enough to gather a burst, short enough to look immediate. */
const BATCH_MS = 60;
/** A first reading waits this long for the connection, so that nothing falls between the two. */
const OPEN_WAIT_MS = 400;

export type Connection = "connecting" | "open" | "lost";

let connection: Connection = "connecting";
const watchers = new Set<() => void>();

function setConnection(next: Connection): void {
  if (next === connection) return;
  connection = next;
  for (const watcher of watchers) watcher();
}

/** The state of the page's live connection. */
export function useConnection(): Connection {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => connection,
  );
}

export interface FeedSink {
  batch(events: readonly LiveEvent[]): void;
  /** Something was missed: read again. */
  reset(): void;
}

/** One live connection, and the events that came while something was being read. */
export class Feed {
  private pending: LiveEvent[] = [];
  private recordings = new Set<LiveEvent[]>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly opening: Promise<void>;
  private opened: () => void = () => undefined;
  private waited = false;

  constructor() {
    this.opening = new Promise((resolve) => {
      this.opened = resolve;
    });
  }

  connect(host: Host, path: string, sink: FeedSink): () => void {
    setConnection("connecting");
    const close = host.live(path, {
      opened: (resumed) => {
        setConnection("open");
        // Who says where it was is told what it missed, or by a reset that it must read.
        if (this.waited && !resumed) sink.reset();
        this.waited = true;
        this.opened();
      },
      lost: () => setConnection("lost"),
      event: (name, data) => {
        const event = decodeLiveEvent(name, data);
        if (event?.type === "reset") sink.reset();
        else if (event) this.take(event, sink);
      },
    });
    return () => {
      clearTimeout(this.timer);
      this.timer = undefined;
      this.pending = [];
      close();
    };
  }

  private take(event: LiveEvent, sink: FeedSink): void {
    for (const recording of this.recordings) recording.push(event);
    this.pending.push(event);
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      const events = this.pending;
      this.pending = [];
      sink.batch(events);
    }, BATCH_MS);
  }

  /** Runs `read` once the connection stands; gives also what was told while it ran. */
  async during<T>(read: () => Promise<T>): Promise<{ result: T; events: readonly LiveEvent[] }> {
    if (!this.waited) {
      await Promise.race([this.opening, new Promise((resolve) => setTimeout(resolve, OPEN_WAIT_MS))]);
      this.waited = true;
    }
    const events: LiveEvent[] = [];
    this.recordings.add(events);
    try {
      return { result: await read(), events };
    } finally {
      this.recordings.delete(events);
    }
  }
}

/** A feed of `path` for as long as the component stands; `sink` may change at any time. */
export function useFeed(path: string, sink: FeedSink): Feed {
  const host = useHost();
  const current = useRef(sink);
  useEffect(() => {
    current.current = sink;
  });
  const feeds = useRef<{ path: string; feed: Feed } | null>(null);
  if (feeds.current?.path !== path) feeds.current = { path, feed: new Feed() };
  const { feed } = feeds.current;
  useEffect(
    () =>
      feed.connect(host, path, {
        batch: (events) => current.current.batch(events),
        reset: () => current.current.reset(),
      }),
    [feed, host, path],
  );
  return feed;
}
