/** A real Chromium with an empty profile, and pages that report what must never happen. */

import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BrowserContext, chromium, type Page } from "playwright-core";

export const CHROMIUM = process.env["AITRACE_CHROMIUM"] ?? "/usr/bin/chromium";
export const DIST = fileURLToPath(new URL("../../dist", import.meta.url));

if (!existsSync(CHROMIUM)) throw new Error(`no Chromium at ${CHROMIUM}: install one, or set AITRACE_CHROMIUM`);
if (!existsSync(join(DIST, "index.html"))) throw new Error(`no viewer in ${DIST}: run \`npm run build\` first`);

const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

export interface Options {
  readonly theme?: "light" | "dark";
  readonly width?: number;
  readonly reducedMotion?: boolean;
}

export interface Tab {
  readonly page: Page;
  /** Everything that must not happen: errors, dialogs, broken policy, requests elsewhere. Empty when all is well. */
  readonly faults: string[];
  close(): Promise<void>;
}

/** Opens `url` in a browser of its own. */
export async function open(url: string, options: Options = {}): Promise<Tab> {
  const profile = await mkdtemp(join(tmpdir(), "aitrace-e2e-"));
  const context: BrowserContext = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    headless: true,
    args: ARGS,
    viewport: { width: options.width ?? 1280, height: 800 },
    colorScheme: options.theme ?? "light",
    reducedMotion: options.reducedMotion ? "reduce" : "no-preference",
    permissions: ["clipboard-read", "clipboard-write"],
  });
  const page = context.pages()[0] ?? (await context.newPage());
  const faults: string[] = [];
  const { origin } = new URL(url);
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("console", (message) => {
    // An answer of 404 is logged by the browser itself, and is no fault.
    if (message.type() === "error" && !message.text().includes("404")) faults.push(`console: ${message.text()}`);
  });
  page.on("dialog", (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    const target = request.url();
    if (!target.startsWith(origin) && !target.startsWith("data:")) faults.push(`request: ${target}`);
  });
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => {
      // biome-ignore lint/suspicious/noConsole: how a page tells its test
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  await page.goto(url);
  return {
    page,
    faults,
    close: async () => {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}

/** The row of the tree that shows a span of this name. */
export function row(page: Page, name: string) {
  return page.locator(".grid-body [role=row]", { has: page.locator(`.name[title=${JSON.stringify(name)}]`) });
}
