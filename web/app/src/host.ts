/** The browser as host of the viewer: fetch, server-sent events, the address bar, local storage. */

import { LIVE_EVENT_NAMES } from "@aitrace/model";
import type { Answer, Host, LiveSink, Theme } from "@aitrace/ui";

/** After this long out of sight a page gives its connection back: browsers allow few to one server. */
const HIDDEN_AFTER_MS = 10_000;
const RECONNECT_MS = 1_500;

async function get(path: string, signal?: AbortSignal): Promise<Answer> {
  const response = await fetch(path, { headers: { accept: "application/json" }, ...(signal ? { signal } : {}) });
  const date = Date.parse(response.headers.get("date") ?? "");
  return { status: response.status, text: await response.text(), serverTime: Number.isNaN(date) ? null : date };
}

function live(path: string, sink: LiveSink): () => void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  // What was heard last. A browser repeats it by itself where it comes back by itself.
  let lastId = "";
  const disconnect = (): void => {
    clearTimeout(timer);
    source?.close();
    source = undefined;
  };
  const connect = (): void => {
    disconnect();
    const place = lastId && `${path.includes("?") ? "&" : "?"}last_event_id=${encodeURIComponent(lastId)}`;
    const opened = new EventSource(path + place);
    source = opened;
    opened.onopen = () => sink.opened(lastId !== "");
    opened.onerror = () => {
      sink.lost();
      // An answer that is no stream closes for good; a browser tries again by itself after anything else.
      if (opened.readyState === EventSource.CLOSED) timer = setTimeout(connect, RECONNECT_MS);
    };
    for (const name of LIVE_EVENT_NAMES) {
      opened.addEventListener(name, (event) => {
        const { data, lastEventId } = event as MessageEvent;
        lastId = lastEventId || lastId;
        sink.event(name, String(data));
      });
    }
  };
  const onVisibility = (): void => {
    clearTimeout(timer);
    if (document.visibilityState === "hidden") timer = setTimeout(disconnect, HIDDEN_AFTER_MS);
    else if (source === undefined || source.readyState === EventSource.CLOSED) connect();
  };
  document.addEventListener("visibilitychange", onVisibility);
  connect();
  return () => {
    document.removeEventListener("visibilitychange", onVisibility);
    disconnect();
  };
}

const listeners = new Set<() => void>();
const notify = (): void => {
  for (const listener of listeners) listener();
};
addEventListener("popstate", notify);
addEventListener("hashchange", notify);

function load(key: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(`aitrace.${key}`) ?? "null");
  } catch {
    return null;
  }
}

function save(key: string, value: unknown): void {
  try {
    if (value === null) localStorage.removeItem(`aitrace.${key}`);
    else localStorage.setItem(`aitrace.${key}`, JSON.stringify(value));
  } catch {
    // Private windows and full storage: the setting lasts as long as the page.
  }
}

async function copy(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Pages that are not served from this machine or by HTTPS have no clipboard API.
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

function setTheme(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
  save("theme", theme === "system" ? null : theme);
}

function theme(): Theme {
  const chosen = document.documentElement.dataset["theme"];
  return chosen === "light" || chosen === "dark" ? chosen : "system";
}

export const browserHost: Host = {
  get,
  live,
  location: {
    read: () => location.pathname + location.search + location.hash,
    push(href) {
      history.pushState(null, "", href);
      notify();
    },
    replace(href) {
      history.replaceState(null, "", href);
      notify();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  },
  load,
  save,
  copy,
  theme: { read: theme, set: setTheme },
  setTitle(title) {
    document.title = title;
  },
  serverUrl: location.origin,
};
