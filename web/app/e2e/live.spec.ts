/** The viewer in the real server: `AITRACE_BIN` names the binary; without it these tests are skipped. */

import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { open, row } from "./browser.ts";

const BIN = process.env["AITRACE_BIN"];

describe.skipIf(!BIN)("live, from the real server", () => {
  let child: ChildProcess;
  let data: string;
  let url: string;

  beforeAll(async () => {
    data = await mkdtemp(join(tmpdir(), "aitrace-live-"));
    child = spawn(
      BIN ?? "",
      ["serve", "--port", "0", "--data-dir", data, ...(process.env["AITRACE_ARGS"]?.split(" ") ?? [])],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const lines = createInterface({ input: child.stdout as NonNullable<typeof child.stdout> });
    const line = await new Promise<string>((resolve, reject) => {
      lines.once("line", resolve);
      child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
    });
    const found = /https?:\/\/[^\s"]+/.exec(line)?.[0];
    if (!found) throw new Error(`no address in the server's first line: ${line}`);
    url = found.replace(/\/$/, "");
  });

  afterAll(async () => {
    child?.kill("SIGTERM");
    await new Promise((resolve) => (child.exitCode === null ? child.once("exit", resolve) : resolve(null)));
    await rm(data, { recursive: true, force: true });
  });

  async function post(...records: object[]): Promise<void> {
    const response = await fetch(`${url}/api/ingest`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(records),
    });
    expect(await response.json()).toMatchObject({ ingested: records.length });
  }

  const traceId = randomBytes(16).toString("hex");
  const rootId = randomBytes(8).toString("hex");
  const toolId = randomBytes(8).toString("hex");
  const begin = Date.now();

  function record(event: string, spanId: string, more: object, attributes: object = {}) {
    const child = spanId === toolId;
    return {
      __tracer_meta__: {
        version: "2.1",
        id: randomBytes(8).toString("hex"),
        timestamp: new Date().toISOString().replace("Z", "000Z"),
        event,
        trace_id: traceId,
        span_id: spanId,
        parent_span_id: child ? rootId : null,
        file: "app.py",
        line: child ? 12 : 30,
        function: child ? "lookup" : "agent",
        level: "info",
        project: "live-test",
        event_type: child ? "tool" : "chain",
        ...more,
      },
      ...(Object.keys(attributes).length > 0 ? { attributes } : {}),
    };
  }

  test("a running span is seen before its end, and its end after it, in list and tree, without a reload", async () => {
    const tab = await open(`${url}/`);
    try {
      const { page } = tab;
      await page.getByText("Waiting for the first trace").waitFor();
      await page.waitForSelector(".connection[data-connection=open]");
      await page.evaluate(() => Object.assign(window, { unreloaded: true }));

      const sent = performance.now();
      await post(record("agent.start", rootId, { provisional: true, lifecycle: "start" }));
      const line = page.locator(`[data-trace="${traceId}"]`);
      await line.locator(".dot[data-status=running]").waitFor();
      process.stdout.write(`a start was seen ${Math.round(performance.now() - sent)} ms after it was sent\n`);
      await line.locator(".name a").click();
      const root = row(page, "agent");
      await root.waitFor();
      expect(await root.getAttribute("data-status")).toBe("running");

      await post(record("lookup.start", toolId, { provisional: true, lifecycle: "start" }));
      const tool = row(page, "lookup");
      await tool.waitFor();
      expect(await tool.getAttribute("data-status")).toBe("running");
      expect(await tool.getAttribute("aria-level")).toBe("2");

      const end = { lifecycle: "end", status: "ok", duration_ns: 5_000_000 };
      await post(record("lookup.end", toolId, end, { inputs: { order: 7 }, outputs: "shipped" }));
      await expect.poll(() => tool.getAttribute("data-status")).toBe("ok");
      expect(await root.getAttribute("data-status"), "the root still runs").toBe("running");
      await tool.click();
      await page.locator(".details", { hasText: "shipped" }).waitFor();

      const failed = { status: "error", error: { type: "ValueError", message: "no such order", stacktrace: "" } };
      await post(record("agent.end", rootId, { ...end, ...failed, duration_ns: (Date.now() - begin) * 1_000_000 }));
      await expect.poll(() => root.getAttribute("data-status")).toBe("error");
      await expect.poll(() => page.locator(".status-chip").first().textContent()).toBe("Error");
      expect(await page.evaluate(() => (window as unknown as { unreloaded?: boolean }).unreloaded)).toBe(true);
      expect(tab.faults).toEqual([]);
    } finally {
      await tab.close();
    }
  });

  test("the same after a reload, on both pages", async () => {
    const tab = await open(`${url}/trace/${traceId}#${toolId}`);
    try {
      const { page } = tab;
      await row(page, "lookup").waitFor();
      expect(await page.locator(".grid-body [role=row]").count()).toBe(2);
      expect(await page.locator(".details").textContent()).toContain("app.py:12");
      await page.goto(`${url}/`);
      await page.locator(`[data-trace="${traceId}"] .dot[data-status=error]`).waitFor();
      expect(tab.faults).toEqual([]);
    } finally {
      await tab.close();
    }
  });

  test("hostile text is text, under the server's own policy", async () => {
    const text = "<img src=x onerror=alert(1)><script>alert(1)</script>";
    const [trace_id, span_id] = [randomBytes(16).toString("hex"), randomBytes(8).toString("hex")];
    const ids = { trace_id, span_id, parent_span_id: null };
    const data = { inputs: { [text]: text }, outputs: text, metadata: { [text]: [text] } };
    await post(
      record(`${text}.start`, span_id, { ...ids, provisional: true, lifecycle: "start" }),
      record(text, span_id, { ...ids, lifecycle: "log", level: "error", logger: text }),
      record(
        `${text}.end`,
        span_id,
        {
          ...ids,
          lifecycle: "end",
          status: "error",
          error: { type: text, message: text, stacktrace: text },
        },
        data,
      ),
    );
    const tab = await open(`${url}/trace/${trace_id}`);
    try {
      const { page } = tab;
      await page.waitForSelector(".error-block");
      expect(await page.locator(".details-title h2").textContent()).toBe(text);
      expect(await page.locator(".section", { hasText: "Input" }).first().textContent()).toContain(text);
      // In quotes, where nothing but a backslash and a quote means anything to the filter.
      const quoted = `"${text.replaceAll(/[\\"]/g, String.raw`\$&`)}"`;
      await page.goto(`${url}/?q=${encodeURIComponent(quoted)}`);
      await page.waitForSelector(`[data-trace="${trace_id}"]`);
      expect(tab.faults).toEqual([]);
    } finally {
      await tab.close();
    }
  });

  test("the same id in two projects is two traces, each with its own page", async () => {
    const [trace_id, span_id] = [randomBytes(16).toString("hex"), randomBytes(8).toString("hex")];
    const ids = { trace_id, span_id, parent_span_id: null, lifecycle: "end", status: "ok", duration_ns: 1_000_000 };
    const tab = await open(`${url}/?q=twin`);
    try {
      const { page } = tab;
      for (const project of ["left", "right"]) {
        const { timestamp } = record("", span_id, {}).__tracer_meta__;
        await post(
          record(`twin ${project}.start`, span_id, {
            ...ids,
            timestamp,
            project,
            lifecycle: "start",
            provisional: true,
          }),
        );
        await post(record(`twin ${project}.end`, span_id, { ...ids, project }));
      }
      for (const project of ["left", "right"]) {
        await page.goto(`${url}/`);
        await page.locator(`[data-trace="${trace_id}"] .name a[title="twin ${project}"]`).click();
        await row(page, `twin ${project}`).waitFor();
        expect(await page.locator(".grid-body [role=row]").count()).toBe(1);
        expect(new URL(page.url()).search).toBe(`?project=${project}`);
      }
      expect(tab.faults).toEqual([]);
    } finally {
      await tab.close();
    }
  });
});
