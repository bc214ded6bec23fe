import {
  formatDuration,
  isObject,
  type Json,
  millisBetween,
  type Nanos,
  type Span,
  type SpanEvent,
  stringify,
} from "@aitrace/model";
import type { ReactNode } from "react";
import { CopyButton, CopyText } from "../parts/Copy.tsx";
import { Link } from "../router.tsx";
import { ErrorBlock } from "./ErrorBlock.tsx";
import { JsonTree } from "./JsonTree.tsx";
import { Section } from "./Section.tsx";
import { ValueSection } from "./ValueSection.tsx";

function size(value: Json): number | undefined {
  return isObject(value) ? Object.keys(value).length : Array.isArray(value) ? value.length : undefined;
}

function isEmpty(value: Json): boolean {
  return value === null || value === "" || size(value) === 0;
}

/** JSON of the user's as a section of its own; nothing where there is none. */
function JsonSection({ title, value, open = true }: { title: string; value: Json; open?: boolean }) {
  if (isEmpty(value)) return null;
  return (
    <Section
      title={title}
      count={size(value)}
      open={open}
      tools={<CopyButton text={() => stringify(value, 2)} label={`Copy ${title.toLowerCase()} as JSON`} />}
    >
      <JsonTree value={value} />
    </Section>
  );
}

export function SpanSections({ span, origin, children }: { span: Span; origin: Nanos; children: ReactNode }) {
  // The error stands on top; its event would say it again.
  const events = span.error === null ? span.events : span.events.filter((event) => event.name !== "exception");
  return (
    <>
      {span.error !== null && (span.error.message || span.error.type || span.error.stacktrace) && (
        <Section title="Error" tone="error">
          <ErrorBlock error={span.error} />
        </Section>
      )}
      {!isEmpty(span.inputs) && <ValueSection title="Input" value={span.inputs} />}
      {!isEmpty(span.outputs) && <ValueSection title="Output" value={span.outputs} />}
      {span.status === "running" && isEmpty(span.outputs) && (
        <p className="pending">Running: the output comes with its end.</p>
      )}
      {children}
      {events.length > 0 && (
        <Section title="Events" count={events.length}>
          {events.map((event, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: events have no id and never move
            <Event key={i} event={event} origin={origin} />
          ))}
        </Section>
      )}
      <JsonSection title="Metrics" value={span.metrics} />
      <JsonSection title="Feedback" value={span.feedback} />
      <JsonSection title="Metadata" value={span.metadata} />
      <JsonSection title="Config" value={span.config} />
      <JsonSection title="User properties" value={span.userProperties} />
      <JsonSection title="Attributes" value={span.attributes} open={false} />
      {span.links.length > 0 && <Links span={span} />}
      <Ids span={span} />
    </>
  );
}

function Event({ event, origin }: { event: SpanEvent; origin: Nanos }) {
  return (
    <div className="event">
      <div className="event-head">
        <span className="time">
          {event.time === null ? "" : `+${formatDuration(millisBetween(origin, event.time))}`}
        </span>
        <strong>{event.name}</strong>
      </div>
      {!isEmpty(event.attributes) && <JsonTree value={event.attributes} />}
    </div>
  );
}

function Links({ span }: { span: Span }) {
  return (
    <Section title="Links" count={span.links.length}>
      {span.links.map((link) => (
        <div className="event" key={link.traceId + link.spanId}>
          <Link to={{ page: "trace", traceId: link.traceId, spanId: link.spanId || null, project: null }}>
            <code>
              {link.traceId}
              {link.spanId && ` / ${link.spanId}`}
            </code>
          </Link>
          {!isEmpty(link.attributes) && <JsonTree value={link.attributes} />}
        </div>
      ))}
    </Section>
  );
}

function Ids({ span }: { span: Span }) {
  const ids: [string, string | null][] = [
    ["Span", span.spanId],
    ["Parent", span.parentId],
    ["Trace", span.traceId],
    ["Session", span.sessionId],
    ["User", span.userId],
    ["Run", span.runId],
    ["Dataset", span.datasetId],
    ["Datapoint", span.datapointId],
    ["Project", span.project],
    ["Source", span.source],
    ["Service", span.service],
  ];
  return (
    <Section title="Identity" open={false}>
      <dl className="pairs">
        {ids.map(
          ([name, value]) =>
            value !== null && (
              <div key={name}>
                <dt>{name}</dt>
                <dd>
                  <CopyText text={value} label={`Copy: ${name.toLowerCase()}`} />
                </dd>
              </div>
            ),
        )}
      </dl>
    </Section>
  );
}
