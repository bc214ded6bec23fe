import "./css/base.css";
import "./css/controls.css";
import { ALL_TRACES } from "@aitrace/model";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { ApiFailure } from "./api.ts";
import { Help } from "./Help.tsx";
import { type Host, HostProvider, useHost } from "./host.ts";
import { useKeys } from "./keys.ts";
import { Link, useRoute } from "./router.tsx";
import { TopBar } from "./TopBar.tsx";
import { TracePage } from "./trace/TracePage.tsx";
import { TracesPage } from "./traces/TracesPage.tsx";

function makeClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        // What the caller did wrong stays wrong; a server that is restarting comes back.
        retry: (count, error) =>
          count < 2 && error instanceof ApiFailure && (error.status === 0 || error.status >= 429),
        retryDelay: (count) => 400 * 2 ** count,
        // The server is often this machine's own: it answers without any network.
        networkMode: "always",
        refetchOnWindowFocus: false,
        gcTime: 60_000,
      },
    },
  });
}

function Unknown({ path, help }: { path: string; help: () => void }) {
  const host = useHost();
  useEffect(() => host.setTitle("Not found · aitrace"), [host]);
  return (
    <>
      <TopBar help={help} />
      <main className="state">
        <h2>There is no page at {path}</h2>
        <p>
          <Link to={ALL_TRACES}>All traces</Link>
        </p>
      </main>
    </>
  );
}

function Pages() {
  const route = useRoute();
  const [helping, setHelping] = useState(false);
  useKeys((event) => {
    if (event.key !== "?") return false;
    setHelping(true);
    return true;
  });
  const help = (): void => setHelping(true);
  return (
    <div className="app">
      {route.page === "traces" && <TracesPage route={route} help={help} />}
      {route.page === "trace" && <TracePage key={`${route.traceId} ${route.project}`} route={route} help={help} />}
      {route.page === "unknown" && <Unknown path={route.path} help={help} />}
      {helping && <Help close={() => setHelping(false)} />}
    </div>
  );
}

export function App({ host }: { host: Host }) {
  const [client] = useState(makeClient);
  return (
    <HostProvider value={host}>
      <QueryClientProvider client={client}>
        <Pages />
      </QueryClientProvider>
    </HostProvider>
  );
}
