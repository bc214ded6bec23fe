import "../css/details.css";
import { groupLogs, type LogRecord, type LogRow, type Span, type TraceState } from "@aitrace/model";
import { useMemo } from "react";
import { Failure } from "../parts/Failure.tsx";
import type { View } from "../trace/useView.ts";
import { useWhole } from "../trace/useWhole.ts";
import { LogDetails, SpanLogs } from "./Logs.tsx";
import { SpanHead } from "./SpanHead.tsx";
import { SpanSections } from "./SpanSections.tsx";

interface DetailsProps {
  readonly state: TraceState;
  readonly selected: string | null;
  readonly view: View;
}

/** Everything about the selected row. */
export function Details({ state, selected, view }: DetailsProps) {
  const logs = useMemo(() => groupLogs(state.spans, state.logs), [state.spans, state.logs]);
  if (selected === null) return <p className="nothing">Nothing is selected.</p>;
  const span = state.spans.get(selected);
  if (span) return <SpanDetails state={state} span={span} logs={logs.get(span.spanId) ?? NONE} view={view} />;
  const row = view.rows[view.index.get(selected) ?? -1];
  if (row?.type === "log")
    return <LogDetails row={row as LogRow} span={row.id === null ? undefined : state.spans.get(row.id)} view={view} />;
  return <p className="nothing">The selected span is not in this trace (yet).</p>;
}

const NONE: readonly LogRecord[] = [];

interface SpanDetailsProps {
  readonly state: TraceState;
  readonly span: Span;
  readonly logs: readonly LogRecord[];
  readonly view: View;
}

function SpanDetails({ state, span, logs, view }: SpanDetailsProps) {
  const { whole, error, reload } = useWhole(span);
  return (
    <article className="details" data-kind={span.kind}>
      <SpanHead span={whole ?? span} view={view} />
      {error !== null && <Failure error={error} retry={reload} />}
      {whole !== undefined && (
        <SpanSections span={whole} origin={view.bounds.from}>
          {logs.length > 0 && <SpanLogs logs={logs} origin={view.bounds.from} />}
        </SpanSections>
      )}
      {state.skeleton && state.trace.events > 0 && (
        <p className="muted large">
          Log records that came before this page opened are not read for a trace of this size.
        </p>
      )}
    </article>
  );
}
