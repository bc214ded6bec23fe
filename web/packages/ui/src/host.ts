/** What the viewer needs of the place it runs in: a browser page, or an editor's panel. Nothing else is global. */

import { createContext, useContext } from "react";

export type Theme = "system" | "light" | "dark";

/** An answer of the server, read to its end. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  /** The server's clock in milliseconds since 1970, to the second; `null` where unknown. */
  readonly serverTime: number | null;
}

/** Takes what a live connection brings. */
export interface LiveSink {
  /** Connected, for the first time or again. What happened meanwhile is told where the connection was `resumed`. */
  opened(resumed: boolean): void;
  event(name: string, data: string): void;
  /** The connection broke; it is being tried again. */
  lost(): void;
}

export interface Host {
  /** GET of a path of the API. Rejects only where there is no answer at all. */
  get(path: string, signal?: AbortSignal): Promise<Answer>;
  /** Listens to server-sent events at `path` until the returned function is called. */
  live(path: string, sink: LiveSink): () => void;
  readonly location: {
    /** Path, query and hash. */
    read(): string;
    push(href: string): void;
    replace(href: string): void;
    subscribe(listener: () => void): () => void;
  };
  /** A remembered setting; `null` where there is none. */
  load(key: string): unknown;
  /** Remembers a setting; `null` forgets it. */
  save(key: string, value: unknown): void;
  copy(text: string): Promise<void>;
  /** Absent where the host has a theme of its own. */
  readonly theme?: { read(): Theme; set(theme: Theme): void };
  setTitle(title: string): void;
  /** Where programs send their traces, as in `http://127.0.0.1:8000`. */
  readonly serverUrl: string;
}

const HostContext = createContext<Host | null>(null);
export const HostProvider = HostContext.Provider;

export function useHost(): Host {
  const host = useContext(HostContext);
  if (host === null) throw new Error("a component of the viewer stands outside <App>");
  return host;
}
