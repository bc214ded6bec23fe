/** Hostile text in every place that shows some: nothing of it runs, loads, or breaks the page's policy. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { hex } from "../mock/agent.ts";
import { type MockServer, startMock } from "../mock/server.ts";
import { type Fields, type MockSpan, MockStore } from "../mock/store.ts";
import { DIST, open } from "./browser.ts";

const PAYLOADS = [
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  '"><svg onload=alert(1)>',
  "'-alert(1)-'",
  "</title><script>alert(1)</script>",
  "javascript:alert(1)",
  "<iframe srcdoc='<script>parent.alert(1)</script>'></iframe>",
  "<a href=javascript:alert(1)>x</a>",
  "![x](http://127.0.0.2:9/beacon.png)",
  "<img src=http://127.0.0.2:9/beacon.png>",
  "{{constructor.constructor('alert(1)')()}}",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is text
  "${alert(1)}",
  "<style>*{background:url(http://127.0.0.2:9/x)}</style>",
  "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
  "\u202Egpj.exe",
  "\u0000\u0007\u001b[31m",
  "__proto__",
  "constructor",
  "data:text/html,<script>alert(1)</script>",
  "%3Cscript%3Ealert(1)%3C/script%3E",
];

const store = new MockStore();
let mock: MockServer;

/** A span with `text` in every field that takes text, as value and as key. */
function hostileSpan(text: string, i: number): MockSpan {
  const data: Fields = JSON.parse(`{${JSON.stringify(text)}: ${JSON.stringify({ [`k${text}`]: [text] })}}`) as Fields;
  const start = BigInt(Date.now() - 60_000) * 1_000_000n;
  return {
    trace_id: hex(`hostile ${i}`, 32),
    span_id: hex(`hostile span ${i}`, 16),
    parent_span_id: null,
    name: text,
    kind: text,
    event_type: text,
    status: "error",
    error: { type: text, message: text, stacktrace: text },
    start_ns: String(start),
    end_ns: String(start + 5_000_000n),
    project: text,
    source: text,
    service: text,
    session_id: text,
    user_id: text,
    run_id: text,
    dataset_id: text,
    datapoint_id: text,
    provider: text,
    model: text,
    inputs: {
      messages: [
        {
          role: "user",
          name: text,
          content: [
            { type: "text", text },
            { type: "image_url", image_url: { url: text } },
            { type: text, x: text },
          ],
        },
        { role: "assistant", content: null, tool_calls: [{ id: text, function: { name: text, arguments: text } }] },
      ],
    },
    outputs: text,
    metadata: data,
    metrics: data,
    feedback: text,
    config: data,
    user_properties: data,
    attributes: data,
    code: { file: text, line: 1, function: text },
    events: [{ name: text, time_ns: String(start), attributes: data }],
    links: [{ trace_id: text, span_id: text, attributes: data }],
  };
}

beforeAll(async () => {
  PAYLOADS.forEach((text, i) => {
    const span = hostileSpan(text, i);
    store.put(span);
    store.log({
      id: String(i),
      trace_id: span.trace_id,
      span_id: span.span_id,
      ts: span.start_ns,
      event: text,
      level: "error",
      logger: text,
      attrs: { [text]: text },
    });
  });
  mock = await startMock(store, DIST);
});

afterAll(() => mock.close());

test("in the list, in filters, and in the address", async () => {
  const tab = await open(mock.url);
  try {
    const { page } = tab;
    await page.waitForSelector("[data-trace]");
    expect(await page.locator("[data-trace]").count()).toBe(PAYLOADS.length);
    const text = await page.locator(".table-rows").textContent();
    expect(text).toContain("<script>alert(1)</script>");
    for (const payload of PAYLOADS) {
      const query = `q=${encodeURIComponent(payload)}&project=${encodeURIComponent(payload)}&session_id=${encodeURIComponent(payload)}`;
      await page.goto(`${mock.url}/?${query}`);
      await page.waitForSelector("[data-trace], .state");
    }
    for (const path of [
      "/<script>alert(1)</script>",
      "/trace/%3Cimg%20src=x%20onerror=alert(1)%3E#<svg onload=alert(1)>",
    ]) {
      await page.goto(mock.url + path);
      await page.waitForSelector(".state");
    }
    expect(tab.faults).toEqual([]);
  } finally {
    await tab.close();
  }
});

test("in every part of a trace", async () => {
  const tab = await open(mock.url);
  try {
    const { page } = tab;
    for (const [i, payload] of PAYLOADS.entries()) {
      await page.goto(`${mock.url}/trace/${hex(`hostile ${i}`, 32)}`);
      await page.waitForSelector("[data-key]");
      const closed = page.locator(".section-title[aria-expanded=false]");
      while ((await closed.count()) > 0) await closed.first().click();
      expect(await page.locator(".details-title h2").textContent()).toBe(payload);
      for (const folded of await page.locator(".log-head[aria-expanded=false]:not(:disabled)").all())
        await folded.click();
      await page.locator(".grid-body [role=row]").nth(1).click();
      await page.waitForSelector(".details .chip");
      // Links lead within the viewer only, whatever they are made of.
      const targets = await page
        .locator("a[href]")
        .evaluateAll((links) => links.map((link) => (link as HTMLAnchorElement).protocol));
      expect(new Set(targets)).toEqual(new Set(["http:"]));
      await page.keyboard.press("/");
      await page.keyboard.type([...payload].filter((char) => char >= " ").join(""));
    }
    expect(await page.evaluate(() => Object.keys(Object.prototype))).toEqual([]);
    expect(await page.locator(".details script, .details img, .details iframe, .grid script, .grid img").count()).toBe(
      0,
    );
    expect(tab.faults).toEqual([]);
  } finally {
    await tab.close();
  }
});
