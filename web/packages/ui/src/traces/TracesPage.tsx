import "../css/traces.css";
import { ALL_TRACES, href, type TracesRoute } from "@aitrace/model";
import { useEffect, useRef } from "react";
import { useHost } from "../host.ts";
import { Failure } from "../parts/Failure.tsx";
import { Icon } from "../parts/Icon.tsx";
import { Link } from "../router.tsx";
import { TopBar } from "../TopBar.tsx";
import { FirstTrace, NothingFound } from "./Empty.tsx";
import { Filters } from "./Filters.tsx";
import { TraceTable } from "./TraceTable.tsx";
import { useTraces } from "./useTraces.ts";

export function TracesPage({ route, help }: { route: TracesRoute; help: () => void }) {
  const host = useHost();
  useEffect(() => host.setTitle("Traces · aitrace"), [host]);
  const scroller = useRef<HTMLDivElement>(null);
  const list = useTraces(route, () => (scroller.current?.scrollTop ?? 0) > 8);
  const filtered = href(route) !== "/";
  const go = (next: TracesRoute): void => host.location.replace(href(next));

  return (
    <>
      <TopBar help={help}>
        <h1>{route.sessionId === null ? "Traces" : "Session"}</h1>
        {route.sessionId !== null && (
          <span className="chip">
            <code>{route.sessionId}</code>
            <Link to={{ ...route, sessionId: null }} className="chip-close" aria-label="Leave the session">
              <Icon name="close" size={12} />
            </Link>
          </span>
        )}
      </TopBar>
      <main className="traces">
        <Filters route={route} traces={list.traces} go={go} />
        {list.held > 0 && (
          <button
            type="button"
            className="pill"
            onClick={() => {
              list.release();
              scroller.current?.scrollTo({ top: 0 });
            }}
          >
            <Icon name="up" size={14} />
            {list.held} new {list.held === 1 ? "trace" : "traces"}
          </button>
        )}
        {list.error !== null && list.traces.length === 0 ? (
          <Failure error={list.error} retry={list.reload} />
        ) : !list.loading && list.traces.length === 0 ? (
          filtered ? (
            <NothingFound clear={() => go(ALL_TRACES)} />
          ) : (
            <FirstTrace />
          )
        ) : (
          <TraceTable list={list} scroller={scroller} address={href(route)} />
        )}
      </main>
    </>
  );
}
