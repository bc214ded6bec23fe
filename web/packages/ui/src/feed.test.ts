import type { LiveEvent } from "@aitrace/model";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Feed } from "./feed.ts";
import { fakeHost } from "./testing.ts";

const LOG = (n: number): string => `{"ts":"${n}","trace_id":"t","event":"e${n}"}`;
const names = (events: readonly LiveEvent[]): string[] =>
  events.map((event) => (event.type === "log" ? event.log.event : event.type));

function connected() {
  const host = fakeHost(() => ({ status: 200, text: "{}", serverTime: null }));
  const batches: string[][] = [];
  let resets = 0;
  const feed = new Feed();
  const stop = feed.connect(host, "/api/live", {
    batch: (events) => batches.push(names(events)),
    reset: () => {
      resets += 1;
    },
  });
  const [sink] = host.sinks;
  if (sink === undefined) throw new Error("not connected");
  return { feed, host, sink, batches, stop, resets: () => resets };
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe("a feed", () => {
  test("hands a burst over as one batch, in order", () => {
    const { sink, batches } = connected();
    for (const n of [1, 2, 3]) sink.event("log", LOG(n));
    expect(batches).toEqual([]);
    vi.runAllTimers();
    sink.event("log", LOG(4));
    vi.runAllTimers();
    expect(batches).toEqual([["e1", "e2", "e3"], ["e4"]]);
  });

  test("a reading waits for the connection, and gets what was told while it ran", async () => {
    const { feed, sink, resets } = connected();
    let finish: (text: string) => void = () => undefined;
    const read = vi.fn(
      () =>
        new Promise<string>((resolve) => {
          finish = resolve;
        }),
    );
    const reading = feed.during(read);
    await vi.advanceTimersByTimeAsync(10);
    expect(read).not.toHaveBeenCalled();
    sink.opened(false);
    await vi.advanceTimersByTimeAsync(0);
    sink.event("log", LOG(1));
    finish("read");
    await expect(reading).resolves.toMatchObject({ result: "read" });
    expect(names((await reading).events)).toEqual(["e1"]);
    sink.event("log", LOG(2));
    expect(names((await reading).events), "what came later comes by batch").toEqual(["e1"]);
    expect(resets()).toBe(0);
  });

  test("a connection that is slow delays a reading but little, and is made up for when it stands", async () => {
    const { feed, sink, resets } = connected();
    const reading = feed.during(async () => "read");
    await vi.advanceTimersByTimeAsync(1_000);
    await expect(reading).resolves.toEqual({ result: "read", events: [] });
    expect(resets()).toBe(0);
    sink.opened(false);
    expect(resets()).toBe(1);
  });

  test("after a break, and when the server says so, all is read again", () => {
    const { sink, resets } = connected();
    sink.opened(false);
    expect(resets()).toBe(0);
    sink.lost();
    sink.opened(false);
    expect(resets()).toBe(1);
    sink.event("reset", "{}");
    expect(resets()).toBe(2);
  });

  test("a connection that is resumed misses nothing", () => {
    const { sink, resets } = connected();
    sink.opened(false);
    sink.lost();
    sink.opened(true);
    expect(resets()).toBe(0);
  });

  test("a reading that fails leaves no recording behind", async () => {
    const { feed, sink } = connected();
    sink.opened(false);
    await expect(feed.during(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
    sink.event("log", LOG(1));
    await expect(feed.during(async () => 1)).resolves.toEqual({ result: 1, events: [] });
  });

  test("stopped, it says nothing any more", () => {
    const { sink, batches, stop, host } = connected();
    sink.event("log", LOG(1));
    stop();
    vi.runAllTimers();
    expect(batches).toEqual([]);
    expect(host.sinks).toEqual([]);
  });
});
