import {
  ALL_TRACES,
  formatCost,
  formatCount,
  formatDateTime,
  formatDuration,
  formatRunning,
  formatTokens,
  millisBetween,
  type Nanos,
  plural,
  type TraceState,
  type TraceSummary,
} from "@aitrace/model";
import type { ReactNode } from "react";
import { CopyText } from "../parts/Copy.tsx";
import { Icon } from "../parts/Icon.tsx";
import { StatusChip } from "../parts/Status.tsx";
import { Link } from "../router.tsx";

export function Crumbs({ trace }: { trace: TraceSummary | undefined }) {
  return (
    <nav aria-label="Where you are">
      <Link to={ALL_TRACES}>Traces</Link>
      <Icon name="chevron" size={12} />
      {trace && <h1 title={trace.name}>{trace.name || "unnamed"}</h1>}
      {trace && <StatusChip status={trace.status} />}
    </nav>
  );
}

function Fact({ label, children, title }: { label: string; children: ReactNode; title?: string }) {
  return (
    <div className="fact" title={title}>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** The trace in one line. Its places stand still while the figures in them grow. */
export function Summary({ state, now, running }: { state: TraceState; now: Nanos; running: boolean }) {
  const { trace } = state;
  const growing = running && trace.status === "running" && trace.start !== null;
  const tokens = trace.inputTokens !== null || trace.outputTokens !== null;
  return (
    <dl className="summary">
      <Fact label="Duration">
        <span className={growing ? "growing" : ""}>
          {growing && trace.start !== null
            ? formatRunning(millisBetween(trace.start, now))
            : trace.durationMs === null
              ? "–"
              : formatDuration(trace.durationMs)}
        </span>
      </Fact>
      <Fact label="Started">{trace.start === null ? "–" : formatDateTime(trace.start, true)}</Fact>
      <Fact label="Spans">{formatCount(state.spans.size)}</Fact>
      <Fact label="Logs">{formatCount(state.logs.length)}</Fact>
      <Fact label="Errors">
        <span className={trace.errors > 0 ? "count-error" : ""}>{formatCount(trace.errors)}</span>
      </Fact>
      {tokens && (
        <Fact
          label="Tokens"
          title={`${formatCount(trace.inputTokens ?? 0)} in, ${formatCount(trace.outputTokens ?? 0)} out`}
        >
          {formatTokens(trace.inputTokens ?? 0)} <span className="muted">in</span>{" "}
          {formatTokens(trace.outputTokens ?? 0)} <span className="muted">out</span>
        </Fact>
      )}
      {trace.cost !== null && <Fact label="Cost">{formatCost(trace.cost)}</Fact>}
      <Fact label="Project">
        <Link to={{ ...ALL_TRACES, project: trace.project }}>{trace.project}</Link>
      </Fact>
      {trace.sessionId !== null && (
        <Fact label="Session" title={trace.sessionId}>
          <Link to={{ ...ALL_TRACES, sessionId: trace.sessionId }}>{trace.sessionId}</Link>
        </Fact>
      )}
      <Fact label="Trace">
        <CopyText text={trace.traceId} label="Copy the trace's id" />
      </Fact>
      {state.unreadable > 0 && (
        <div className="fact warn" role="alert">
          <Icon name="warning" size={14} />
          {plural(state.unreadable, "record")} of this trace could not be read and{" "}
          {state.unreadable === 1 ? "is" : "are"} not shown.
        </div>
      )}
    </dl>
  );
}
