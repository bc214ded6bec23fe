/** The API's reading routes over the mock's memory, for development and for tests of the viewer. */

import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import type { Fields, MockStore } from "./store.ts";

/** The policy that the real server sets; the tests' pages run under it. */
export const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

function json(response: ServerResponse, status: number, body: Fields): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function live(request: IncomingMessage, response: ServerResponse, query: URLSearchParams, store: MockStore): void {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.write(": ping\n\n");
  const [traceId, project] = [query.get("trace_id"), query.get("project")];
  const stop = store.listen((name, data) => {
    if (traceId && data["trace_id"] !== traceId) return;
    if (project && data["project"] !== undefined && data["project"] !== project) return;
    response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  });
  request.on("close", stop);
}

/** Answers a request for the API; `false` where it is for something else. */
export function handleApi(request: IncomingMessage, response: ServerResponse, store: MockStore): boolean {
  const url = new URL(request.url ?? "/", "http://mock");
  const [, , route, id] = url.pathname.split("/");
  if (!url.pathname.startsWith("/api/")) return false;
  if (route === "live") live(request, response, url.searchParams, store);
  else if (route === "projects") json(response, 200, { projects: store.projects() });
  else if (route === "traces") json(response, 200, store.list(url.searchParams));
  else if (route === "span" && id) {
    const { pathname } = url;
    const span = store.traces.get(id)?.spans.get(decodeURIComponent(pathname.slice(pathname.lastIndexOf("/") + 1)));
    const error = { kind: "not_found", message: "There is no such span.", hint: null };
    json(response, span ? 200 : 404, span ?? { error });
  } else if (route === "trace" && id) {
    const skeleton = url.pathname.endsWith("/skeleton");
    const detail = skeleton ? store.skeleton(decodeURIComponent(id)) : store.detail(decodeURIComponent(id));
    const error = { kind: "not_found", message: `There is no trace ${id}.`, hint: "Its retention may have passed." };
    json(response, detail ? 200 : 404, detail ?? { error });
  } else json(response, 404, { error: { kind: "not_found", message: "There is no such route.", hint: null } });
  return true;
}

function serveFile(request: IncomingMessage, response: ServerResponse, dist: string): void {
  const path = normalize(new URL(request.url ?? "/", "http://mock").pathname);
  const wanted = join(dist, path);
  const file = existsSync(wanted) && statSync(wanted).isFile() ? wanted : join(dist, "index.html");
  response.writeHead(200, {
    "content-type": TYPES[extname(file)] ?? "application/octet-stream",
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
  });
  createReadStream(file).pipe(response);
}

export interface MockServer {
  readonly url: string;
  readonly server: Server;
  close(): Promise<void>;
}

/** Serves the built viewer in `dist` and the API over `store`, on a free port of this machine. */
export async function startMock(store: MockStore, dist: string): Promise<MockServer> {
  const server = createServer((request, response) => {
    if (!handleApi(request, response, store)) serveFile(request, response, dist);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    server,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
