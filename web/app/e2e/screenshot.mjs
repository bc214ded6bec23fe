// Takes a picture of a page of the viewer, as for the README:
//   node web/app/e2e/screenshot.mjs URL OUT.png [light|dark] [WIDTHxHEIGHT] [SELECTOR to wait for] [KEYS to press…]
// Chromium is AITRACE_CHROMIUM, else /usr/bin/chromium.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [url, out, theme = "light", size = "1440x900", selector = "[data-key], .table-rows .table-row, .first", ...keys] =
  process.argv.slice(2);
if (!url || !out) {
  process.stderr.write("usage: screenshot.mjs URL OUT.png [light|dark] [WIDTHxHEIGHT] [SELECTOR] [KEYS…]\n");
  process.exit(2);
}
const [width = 1440, height = 900] = size.split("x").map(Number);
const profile = await mkdtemp(join(tmpdir(), "aitrace-shot-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env["AITRACE_CHROMIUM"] ?? "/usr/bin/chromium",
  headless: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
  ],
  viewport: { width, height },
  deviceScaleFactor: Number(process.env["SCALE"] ?? 1),
  colorScheme: theme === "dark" ? "dark" : "light",
});
try {
  const page = context.pages()[0] ?? (await context.newPage());
  await page.goto(url);
  await page.waitForSelector(selector);
  for (const key of keys) await page.keyboard.press(key);
  await page.waitForTimeout(Number(process.env["SETTLE_MS"] ?? 400));
  await page.screenshot({ path: out });
} finally {
  await context.close();
  await rm(profile, { recursive: true, force: true });
}
