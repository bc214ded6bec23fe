/** A host for tests: answers and live events by hand. */

import type { Answer, Host, LiveSink } from "./host.ts";

export interface FakeHost extends Host {
  /** The sinks of the live connections that stand. */
  readonly sinks: LiveSink[];
  readonly asked: string[];
}

export function fakeHost(answer: (path: string) => Answer | Promise<Answer>): FakeHost {
  const sinks: LiveSink[] = [];
  const asked: string[] = [];
  return {
    sinks,
    asked,
    get: async (path) => {
      asked.push(path);
      return answer(path);
    },
    live: (_path, sink) => {
      sinks.push(sink);
      return () => sinks.splice(sinks.indexOf(sink), 1);
    },
    location: { read: () => "/", push: () => undefined, replace: () => undefined, subscribe: () => () => undefined },
    load: () => null,
    save: () => undefined,
    copy: async () => undefined,
    setTitle: () => undefined,
    serverUrl: "http://127.0.0.1:8000",
  };
}
