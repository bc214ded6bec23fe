import {
  formatCost,
  formatCount,
  formatDateTime,
  formatDuration,
  formatRunning,
  millisBetween,
  type Span,
  shownEnd,
} from "@aitrace/model";
import type { ReactNode } from "react";
import { CopyButton } from "../parts/Copy.tsx";
import { Icon, KindIcon } from "../parts/Icon.tsx";
import { StatusChip } from "../parts/Status.tsx";
import type { View } from "../trace/useView.ts";

function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="fact">
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Name, kind, status and the figures of a span. */
export function SpanHead({ span, view }: { span: Span; view: View }) {
  const running = span.status === "running";
  const elapsed = millisBetween(span.start, shownEnd(span, view.now));
  const offset = millisBetween(view.bounds.from, span.start);
  return (
    <header className="details-head">
      <div className="details-title">
        <KindIcon kind={span.kind} />
        <h2 title={span.name}>{span.name || "unnamed"}</h2>
        <StatusChip status={span.status} />
      </div>
      <dl className="details-facts">
        <Fact label="Kind">
          <span className="kind-word">{span.kind}</span>
          {span.eventType !== null && span.eventType !== span.kind && (
            <span className="muted"> · {span.eventType}</span>
          )}
        </Fact>
        <Fact label="Duration">
          {running ? (
            <span className="growing">{formatRunning(elapsed)}</span>
          ) : span.status === "lost" ? (
            "–"
          ) : (
            formatDuration(elapsed)
          )}
        </Fact>
        <Fact label="Started">
          <span title={formatDateTime(span.start, true)}>+{formatDuration(offset)}</span>
        </Fact>
        {span.model !== null && (
          <Fact label="Model">
            {span.model}
            {span.provider !== null && <span className="muted"> · {span.provider}</span>}
          </Fact>
        )}
        {(span.inputTokens !== null || span.outputTokens !== null) && (
          <Fact label="Tokens">
            {formatCount(span.inputTokens ?? 0)} <span className="muted">in</span> {formatCount(span.outputTokens ?? 0)}{" "}
            <span className="muted">out</span>
          </Fact>
        )}
        {span.cost !== null && (
          <Fact label="Cost">
            <span title={span.costFormula ?? undefined}>{formatCost(span.cost)}</span>
          </Fact>
        )}
      </dl>
      {span.code !== null && <CodePlace file={span.code.file} line={span.code.line} name={span.code.function} />}
    </header>
  );
}

/** Where in the program something happened. */
export function CodePlace({ file, line, name }: { file: string; line: number; name: string }) {
  const place = file === "" ? name : line > 0 ? `${file}:${line}` : file;
  return (
    <div className="code-place">
      <Icon name="code" size={14} />
      <code title={place}>{place}</code>
      {file !== "" && name !== "" && <span className="muted">in {name}</span>}
      <CopyButton text={() => place} label="Copy the place in the code" />
    </div>
  );
}
