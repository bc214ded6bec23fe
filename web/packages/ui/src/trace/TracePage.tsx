import "../css/trace.css";
import { href, type TraceRoute, type TraceState } from "@aitrace/model";
import { useEffect } from "react";
import { Details } from "../details/Details.tsx";
import { useHost } from "../host.ts";
import { Failure } from "../parts/Failure.tsx";
import { Icon } from "../parts/Icon.tsx";
import { Splitter, useSize } from "../parts/Splitter.tsx";
import { TopBar } from "../TopBar.tsx";
import { Crumbs, Summary } from "./Header.tsx";
import { Toolbar } from "./Toolbar.tsx";
import { TreeGrid } from "./TreeGrid.tsx";
import { useNavigation } from "./useNavigation.ts";
import { useTrace } from "./useTrace.ts";
import { useView } from "./useView.ts";

export function TracePage({ route, help }: { route: TraceRoute; help: () => void }) {
  const host = useHost();
  const { state, error, reload } = useTrace(route.traceId, route.project);
  const name = state?.trace.name || route.traceId.slice(0, 8);
  useEffect(() => host.setTitle(`${name} · aitrace`), [host, name]);
  return (
    <>
      <TopBar help={help}>
        <Crumbs trace={state?.trace} />
      </TopBar>
      {state === undefined ? (
        <main className="traces">
          {error === null ? (
            <Skeleton />
          ) : error.status === 404 ? (
            <Waiting route={route} />
          ) : (
            <Failure error={error} retry={reload} />
          )}
        </main>
      ) : (
        <Trace state={state} route={route} />
      )}
    </>
  );
}

function Trace({ state, route }: { state: TraceState; route: TraceRoute }) {
  const host = useHost();
  const view = useView(state);
  const selected = route.spanId ?? view.rows[0]?.key ?? null;
  const select = (key: string): void => host.location.replace(href({ ...route, spanId: key }));
  const navigation = useNavigation({ state, view, selected, select });
  const details = useSize("details", 0.4, 0.2, 0.75);
  return (
    <main className="trace">
      <Summary state={state} now={view.now} running={view.running} />
      <div className="trace-split">
        <section className="trace-left" style={{ flexGrow: 1 - details.value }} aria-label="Spans">
          <Toolbar state={state} view={view} navigation={navigation} />
          <TreeGrid state={state} view={view} selected={selected} select={select} navigation={navigation} />
        </section>
        <Splitter size={details} label="Width of the details" reverse />
        <section
          className="trace-right"
          style={{ flexGrow: details.value }}
          aria-label="Details"
          ref={navigation.details}
          tabIndex={-1}
        >
          <Details key={selected} state={state} selected={selected} view={view} />
        </section>
      </div>
    </main>
  );
}

function Waiting({ route }: { route: TraceRoute }) {
  return (
    <div className="state">
      <span className="state-icon">
        <Icon name="search" size={20} />
      </span>
      <h2>No trace with this id yet</h2>
      <p>
        <code>{route.traceId}</code>
      </p>
      <p className="muted">If it is about to begin, it appears here by itself.</p>
    </div>
  );
}

/** Stands where rows will be while they are read; invisible at first, so that a fast answer never flickers. */
function Skeleton() {
  return (
    <div className="skeleton" role="status" aria-label="Loading">
      {[62, 48, 55, 40, 34, 46, 28].map((width, i) => (
        <span key={width} style={{ width: `${width}%`, marginInlineStart: `${(i % 4) * 20}px` }} />
      ))}
    </div>
  );
}
