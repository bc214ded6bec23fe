/** The viewer in a real browser, under the server's policy, against a mock that speaks the API. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { agentTrace, bigTrace, history, playAgent, started } from "../mock/agent.ts";
import { type MockServer, startMock } from "../mock/server.ts";
import { type MockSpan, MockStore } from "../mock/store.ts";
import { DIST, type Options, open, row, type Tab } from "./browser.ts";

const NOW = Date.now();
/** Spans of the large trace; more of them are for measuring by hand. */
const SPANS = Number(process.env["AITRACE_E2E_SPANS"] ?? 20_000);
const store = new MockStore();
let mock: MockServer;
let tab: Tab | undefined;

beforeAll(async () => {
  history(store, 250, NOW - 60_000);
  mock = await startMock(store, DIST);
});

afterAll(() => mock.close());

afterEach(async () => {
  await tab?.close();
  tab = undefined;
});

async function visit(path: string, options?: Options) {
  tab = await open(mock.url + path, options);
  return tab.page;
}

function noFaults(): void {
  expect(tab?.faults).toEqual([]);
}

/** A finished agent trace of its own; gives its id. */
function finished(seed: string): { id: string; spans: readonly MockSpan[] } {
  const script = agentTrace(seed, NOW - 30_000);
  store.put(...script.spans);
  for (const log of script.logs) store.log(log);
  return { id: script.traceId, spans: script.spans };
}

describe("the list", () => {
  test("shows traces, loads more while scrolling, opens one, and comes back to its place", async () => {
    const page = await visit("/");
    await page.waitForSelector("[data-trace]");
    const body = page.locator(".table-body");
    const rowCount = async () => {
      await body.evaluate((element) => element.scrollTo(0, element.scrollHeight));
      return page.locator(".table").getAttribute("aria-rowcount");
    };
    await expect.poll(rowCount, { timeout: 20_000 }).toBe(String(store.traces.size));
    // What came last may have made the list longer after it was scrolled to its end.
    const last = async () => {
      await rowCount();
      return page.locator(`[aria-rowindex="${store.traces.size}"]`).count();
    };
    await expect.poll(last, { timeout: 20_000 }).toBe(1);
    expect(await page.locator("[data-trace]").count()).toBeLessThan(80);
    const place = await body.evaluate((element) => element.scrollTop);
    await page.locator("[data-trace] .name a").nth(20).click();
    await page.waitForSelector("[data-key]");
    await page.goBack();
    await page.waitForSelector("[data-trace]");
    expect(Math.abs((await body.evaluate((element) => element.scrollTop)) - place)).toBeLessThan(100);
    noFaults();
  });

  test("filters are in the address, and the address sets them", async () => {
    const page = await visit("/?status=error");
    await page.waitForSelector("[data-trace]");
    expect(
      await page
        .locator("[data-trace] .dot")
        .evaluateAll((dots) => dots.every((dot) => dot.getAttribute("data-status") === "error")),
    ).toBe(true);
    await page.locator(".segments button", { hasText: "Lost" }).click();
    await page.waitForSelector("[data-trace] .dot[data-status=lost]");
    expect(new URL(page.url()).search).toBe("?status=lost");
    await page.keyboard.press("/");
    await page.keyboard.type("no such thing");
    await page.waitForSelector("text=No trace matches");
    expect(new URL(page.url()).search).toBe("?status=lost&q=no%20such%20thing");
    await page.getByText("Show all traces").click();
    await page.waitForSelector("[data-trace]");
    expect(new URL(page.url()).pathname + new URL(page.url()).search).toBe("/");
    await page.selectOption("select", "search");
    await page.waitForFunction(() =>
      [...document.querySelectorAll("[data-trace] [role=cell]:nth-child(3)")].every(
        (cell) => cell.textContent === "search",
      ),
    );
    noFaults();
  });

  test("keys choose and open", async () => {
    const page = await visit("/");
    await page.waitForSelector("[data-trace]");
    await page.keyboard.press("j");
    await page.keyboard.press("ArrowDown");
    const id = await page.locator("[data-active]").getAttribute("data-trace");
    await page.keyboard.press("Enter");
    await page.waitForSelector("[data-key]");
    expect(page.url()).toContain(`/trace/${id}`);
    await page.keyboard.press("Backspace");
    await page.waitForSelector("[data-trace]");
    noFaults();
  });

  test("a trace that begins appears on top, grows, and ends, without a reload", async () => {
    const page = await visit("/");
    await page.waitForSelector(".connection[data-connection=open]");
    await page.waitForSelector("[data-trace]");
    const script = agentTrace("list live", Date.now());
    const [root] = script.spans as [MockSpan];
    store.put(started(root));
    const line = page.locator(`[data-trace="${script.traceId}"]`);
    await line.locator(".dot[data-status=running]").waitFor();
    expect(await line.getAttribute("aria-rowindex")).toBe("1");
    const before = await line.locator(".growing").textContent();
    await page.waitForFunction(
      ([id, text]) => document.querySelector(`[data-trace="${id}"] .growing`)?.textContent !== text,
      [script.traceId, before] as const,
    );
    store.put(root);
    await line.locator(".dot[data-status=ok]").waitFor();
    expect(await line.textContent()).toContain("8.2 s");
    noFaults();
  });

  test("new traces do not move the rows under a reader who has scrolled", async () => {
    const page = await visit("/");
    await page.waitForSelector(".connection[data-connection=open]");
    await page.waitForSelector("[data-trace]");
    const body = page.locator(".table-body");
    // Rows are kept ready beyond the edge: the first goes when it is far enough out of sight.
    await body.evaluate((element) => element.scrollTo(0, 1_400));
    await page.locator('[aria-rowindex="1"]').waitFor({ state: "detached" });
    const first = await page.locator("[data-trace]").first().getAttribute("data-trace");
    const script = agentTrace("held back", Date.now());
    store.put(script.spans[0] as MockSpan);
    const pill = page.locator(".pill");
    await pill.waitFor();
    expect(await pill.textContent()).toContain("1 new trace");
    expect(await page.locator("[data-trace]").first().getAttribute("data-trace")).toBe(first);
    await pill.click();
    await page.locator(`[data-trace="${script.traceId}"]`).waitFor();
    noFaults();
  });

  test("before the first trace it says how to send one, and shows it when it comes", async () => {
    const empty = new MockStore();
    const server = await startMock(empty, DIST);
    try {
      tab = await open(server.url);
      const { page } = tab;
      await page.getByText("Waiting for the first trace").waitFor();
      expect(await page.locator(".snippet pre").textContent()).toContain("aitrace run -- python app.py");
      await page.getByRole("tab", { name: "OpenTelemetry" }).click();
      expect(await page.locator(".snippet pre").textContent()).toContain(`OTEL_EXPORTER_OTLP_ENDPOINT=${server.url}`);
      await page.waitForSelector(".connection[data-connection=open]");
      empty.put(agentTrace("first", Date.now()).spans[0] as MockSpan);
      await page.waitForSelector("[data-trace]");
      noFaults();
    } finally {
      await server.close();
    }
  });
});

describe("a trace", () => {
  test("keys walk the tree, open and close it, and lead to the details", async () => {
    const { id, spans } = finished("keys");
    const page = await visit(`/trace/${id}`);
    await row(page, "plan").waitFor();
    const active = () => page.locator(".grid-body [aria-selected=true] .name").getAttribute("title");
    expect(await active()).toBe("support_agent");
    for (const [key, expected] of [
      ["ArrowDown", "question received"],
      ["j", "plan"],
      ["ArrowRight", "chat gpt-5-mini"],
      ["ArrowLeft", "plan"],
      ["End", "chat gpt-5-mini"],
      ["k", "answering without the carrier's status"],
      ["Home", "support_agent"],
      ["e", "carrier_status"],
    ] as const) {
      await page.keyboard.press(key);
      await expect.poll(active, { message: key }).toBe(expected);
    }
    const failed = spans.find((span) => span.name === "carrier_status");
    expect(page.url()).toContain(`#${failed?.span_id}`);
    expect(await page.locator(".error-block").textContent()).toContain("ReadTimeout");
    expect(await page.locator(".code-place").first().textContent()).toContain("support/tools.py:84");
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowLeft");
    await expect.poll(() => page.locator(".grid-body [role=row]").count()).toBe(1);
    await page.keyboard.press("ArrowRight");
    await row(page, "plan").waitFor();
    await page.keyboard.press("Enter");
    expect(await page.evaluate(() => document.activeElement?.className)).toBe("trace-right");
    await page.keyboard.press("Escape");
    expect(await page.evaluate(() => document.activeElement?.getAttribute("role"))).toBe("treegrid");
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
    noFaults();
  });

  test("a conversation reads as one, can be seen as JSON, and big numbers keep their digits", async () => {
    const { id, spans } = finished("chat");
    const chat = spans.at(-1) as MockSpan;
    const page = await visit(`/trace/${id}#${chat.span_id}`);
    await page.waitForSelector(".message[data-role=user]");
    expect(
      await page.locator(".message").evaluateAll((all) => all.map((item) => item.getAttribute("data-role"))),
    ).toEqual(["system", "user", "assistant", "tool", "assistant"]);
    expect(await page.locator(".message[data-role=tool]").textContent()).toContain("9007199254740993");
    await page.getByRole("button", { name: "JSON", exact: true }).first().click();
    expect(await page.locator(".section", { hasText: "Input" }).locator(".json").textContent()).toContain("messages");
    noFaults();
  });

  test("search finds contents, opens what hides them, and steps through", async () => {
    const { id } = finished("search");
    const page = await visit(`/trace/${id}`);
    await row(page, "plan").waitFor();
    await page.keyboard.press("[");
    await row(page, "rerank").waitFor({ state: "detached" });
    await page.keyboard.press("/");
    await page.keyboard.type("embedding");
    await expect.poll(() => page.locator(".hits").textContent()).toBe("2");
    await page.keyboard.press("Enter");
    await expect
      .poll(() => page.locator(".grid-body [aria-selected=true] .name").getAttribute("title"))
      .toBe("embed text-embedding-3-small");
    expect(await page.locator(".hits").textContent()).toBe("1 of 2");
    await page.keyboard.press("Enter");
    await expect
      .poll(() => page.locator(".grid-body [aria-selected=true] .name").getAttribute("title"))
      .toBe("embedding cache miss");
    noFaults();
  });

  test("grows before the reader's eyes: a running span is seen, its bar grows, its end comes", async () => {
    const script = agentTrace("grows", Date.now());
    let release: () => void = () => undefined;
    let step = 0;
    // Time stands still before the tenth event until the test has looked.
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const wait = async (): Promise<void> => {
      step += 1;
      if (step === 10) await gate;
    };
    const [root] = script.spans as [MockSpan];
    store.put(started(root));
    const page = await visit(`/trace/${script.traceId}`);
    await page.waitForSelector(".connection[data-connection=open]");
    const played = playAgent(store, script, wait);
    const running = row(page, "support_agent");
    await page.waitForSelector(".grid[data-live]");
    expect(await running.getAttribute("data-status")).toBe("running");
    const width = () => running.locator(".bar").evaluate((bar) => bar.getBoundingClientRect().width);
    const before = await width();
    await expect.poll(width).not.toBe(before);
    expect(await page.locator(".status-chip").first().textContent()).toBe("Running");
    release();
    await played;
    await expect.poll(() => running.getAttribute("data-status")).toBe("ok");
    await expect.poll(() => page.locator(".grid-body [data-status=running]").count()).toBe(0);
    expect(await page.locator(".status-chip").first().textContent()).toBe("OK");
    expect(await page.locator(".grid-body [role=row]").count()).toBe(script.spans.length + script.logs.length);
    noFaults();
  });

  test("a page opened before its trace begins shows it when it does", async () => {
    const script = agentTrace("not yet", Date.now());
    const page = await visit(`/trace/${script.traceId}`);
    await page.getByText("No trace with this id yet").waitFor();
    await page.waitForSelector(".connection[data-connection=open]");
    store.put(started(script.spans[0] as MockSpan));
    await row(page, "support_agent").waitFor();
    noFaults();
  });

  test("zooms by dragging across the axis, and back", async () => {
    const { id } = finished("zoom");
    const page = await visit(`/trace/${id}`);
    await row(page, "rerank").waitFor();
    const bar = row(page, "rerank").locator(".bar");
    const before = (await bar.boundingBox())?.width ?? 0;
    const axis = await page.locator(".axis").boundingBox();
    if (!axis) throw new Error("no axis");
    await page.mouse.move(axis.x + axis.width * 0.1, axis.y + 10);
    await page.mouse.down();
    await page.mouse.move(axis.x + axis.width * 0.4, axis.y + 10, { steps: 4 });
    await page.mouse.up();
    await page.getByText("Whole trace").waitFor();
    expect((await bar.boundingBox())?.width ?? 0).toBeGreaterThan(before * 2);
    await page.getByText("Whole trace").click();
    await expect.poll(async () => Math.round((await bar.boundingBox())?.width ?? 0)).toBe(Math.round(before));
    noFaults();
  });

  test(`${SPANS} spans open and scroll, with few elements`, async () => {
    const script = bigTrace("scroll", NOW - 120_000, SPANS);
    store.put(...script.spans);
    const page = await visit("/");
    await page.waitForSelector("[data-trace]");
    const begin = performance.now();
    await page.goto(`${mock.url}/trace/${script.traceId}`);
    await page.waitForSelector("[data-key]");
    const opened = performance.now() - begin;
    const body = page.locator(".grid-body");
    const frames = await body.evaluate(async (element) => {
      const gaps: number[] = [];
      let last = performance.now();
      for (let i = 0; i < 60; i += 1) {
        element.scrollTop += 900;
        await new Promise(requestAnimationFrame);
        gaps.push(performance.now() - last);
        last = performance.now();
      }
      return gaps.sort((a, b) => a - b);
    });
    expect(await page.locator(".grid-body [role=row]").count()).toBeLessThan(120);
    expect(await page.evaluate(() => document.querySelectorAll("*").length)).toBeLessThan(5_000);
    await body.focus();
    await page.keyboard.press("End");
    await expect.poll(() => page.locator("[aria-selected=true]").getAttribute("aria-rowindex")).toBe(String(SPANS));
    process.stdout.write(
      `${SPANS} spans: opened in ${Math.round(opened)} ms, frames p50 ${frames[30]?.toFixed(0)} p95 ${frames[57]?.toFixed(0)} ms\n`,
    );
    expect(opened).toBeLessThan(8_000);
    // Contents are read where they are looked at.
    await page.getByText("index", { exact: true }).first().waitFor();
    noFaults();
  });
});

describe("looks", () => {
  test.each(["light", "dark"] as const)("follows the system: %s", async (theme) => {
    const page = await visit("/", { theme });
    await page.waitForSelector("[data-trace]");
    const background = await page.locator(".app").evaluate((app) => getComputedStyle(app).backgroundColor);
    expect(background).toBe(theme === "light" ? "rgb(255, 255, 255)" : "rgb(19, 20, 23)");
    noFaults();
  });

  test("a chosen theme is remembered, and system again forgets it", async () => {
    const page = await visit("/", { theme: "light" });
    const background = () => page.locator(".app").evaluate((app) => getComputedStyle(app).backgroundColor);
    const button = page.getByRole("button", { name: /^Theme/ });
    await button.click();
    await button.click();
    expect(await background()).toBe("rgb(19, 20, 23)");
    await page.reload();
    expect(await background()).toBe("rgb(19, 20, 23)");
    await button.click();
    expect(await background()).toBe("rgb(255, 255, 255)");
    noFaults();
  });

  test("nothing moves for those who ask for it", async () => {
    store.put(started(agentTrace("still", Date.now()).spans[0] as MockSpan));
    const page = await visit("/?status=running", { reducedMotion: true });
    await page.waitForSelector("[data-trace]");
    expect(await page.evaluate(() => document.getAnimations().length)).toBe(0);
    noFaults();
  });

  test("errors come with the server's words and its hint", async () => {
    const page = await visit("/");
    await page.waitForSelector("[data-trace]");
    await page.route("**/api/traces?*", (route) =>
      route.fulfill({
        status: 400,
        contentType: "application/json",
        body: '{"error":{"kind":"bad_query","message":"the query <b>cannot</b> be read","hint":"Quote it."}}',
      }),
    );
    await page.keyboard.press("/");
    await page.keyboard.type('"');
    await page.getByText("the query <b>cannot</b> be read").waitFor();
    await page.getByText("Quote it.").waitFor();
  });
});
