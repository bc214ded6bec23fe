import {
  formatClock,
  formatDuration,
  isObject,
  type LogRecord,
  type LogRow,
  millisBetween,
  type Nanos,
  type Span,
} from "@aitrace/model";
import { useState } from "react";
import { CopyButton } from "../parts/Copy.tsx";
import { Icon } from "../parts/Icon.tsx";
import type { View } from "../trace/useView.ts";
import { JsonTree } from "./JsonTree.tsx";
import { LongText } from "./LongText.tsx";
import { Section } from "./Section.tsx";
import { CodePlace } from "./SpanHead.tsx";

function hasData(log: LogRecord): boolean {
  return isObject(log.attrs) && Object.keys(log.attrs).length > 0;
}

/** The log records of a span. */
export function SpanLogs({ logs, origin }: { logs: readonly LogRecord[]; origin: Nanos }) {
  return (
    <Section title="Logs" count={logs.length}>
      {logs.map((log, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: records have no id; new ones come at the end
        <LogLine key={i} log={log} origin={origin} />
      ))}
    </Section>
  );
}

function LogLine({ log, origin }: { log: LogRecord; origin: Nanos }) {
  const [open, setOpen] = useState(false);
  const foldable = hasData(log) || log.code !== null;
  return (
    <div className="log-line" data-level={log.level}>
      <button
        type="button"
        className="log-head"
        aria-expanded={open}
        disabled={!foldable}
        onClick={() => setOpen(!open)}
      >
        <span className="twist" data-open={open || undefined}>
          {foldable && <Icon name="chevron" size={12} />}
        </span>
        <span className="time" title={formatClock(log.time)}>
          +{formatDuration(millisBetween(origin, log.time))}
        </span>
        <span className="level" title={log.level} />
        <span className="log-event">{log.event}</span>
      </button>
      {open && (
        <div className="log-data">
          {hasData(log) && <JsonTree value={log.attrs} />}
          {log.code !== null && <CodePlace file={log.code.file} line={log.code.line} name={log.code.function} />}
        </div>
      )}
    </div>
  );
}

/** One log record that is selected in the tree. */
export function LogDetails({ row, span, view }: { row: LogRow; span: Span | undefined; view: View }) {
  const { log } = row;
  return (
    <article className="details">
      <header className="details-head">
        <div className="details-title" data-level={log.level}>
          <span className="level" />
          <h2>{log.logger ?? "Log"}</h2>
          <span className="chip">{log.level}</span>
        </div>
        <dl className="details-facts">
          <div className="fact">
            <dt>Time</dt>
            <dd>{formatClock(log.time)}</dd>
          </div>
          <div className="fact">
            <dt>Since start</dt>
            <dd>+{formatDuration(millisBetween(view.bounds.from, log.time))}</dd>
          </div>
          <div className="fact">
            <dt>Span</dt>
            <dd>{span?.name ?? "none"}</dd>
          </div>
        </dl>
        {log.code !== null && <CodePlace file={log.code.file} line={log.code.line} name={log.code.function} />}
      </header>
      <Section title="Message" tools={<CopyButton text={() => log.event} label="Copy the message" />}>
        <LongText text={log.event} />
      </Section>
      {hasData(log) && (
        <Section title="Data">
          <JsonTree value={log.attrs} />
        </Section>
      )}
    </article>
  );
}
