import { useState } from "react";
import { useHost } from "../host.ts";
import { CopyButton } from "../parts/Copy.tsx";
import { Icon, Logo } from "../parts/Icon.tsx";

interface Way {
  readonly name: string;
  readonly text: (url: string) => string;
  readonly note: string;
}

const WAYS: readonly Way[] = [
  {
    name: "Any program",
    text: () => `# a program that uses aitrace or OpenTelemetry
aitrace run -- python app.py

# or an example at work
aitrace demo`,
    note: "It runs the program with the environment set to send its traces here.",
  },
  {
    name: "Python",
    text: (url) => `pip install aitrace

from aitrace import Tracer

tracer = Tracer(project="my-app", server_url="${url}")

@tracer.trace(event_type="tool")
def lookup(order):
    return {"order": order, "state": "shipped"}

lookup(7)`,
    note: "Sync and async functions, generators and methods; nested calls become a tree.",
  },
  {
    name: "Rust",
    text: (url) => `let tracer = aitrace::Tracer::builder()
    .project("my-app")
    .target("${url}")
    .build();

let span = tracer.start_span("plan"); // ends on drop
span.set_attribute("k", 1);`,
    note: "#[aitrace::trace] does the same for functions.",
  },
  {
    name: "OpenTelemetry",
    text: (url) => `export OTEL_EXPORTER_OTLP_ENDPOINT=${url}
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`,
    note: "Any OTLP exporter over HTTP, protobuf or JSON, to /v1/traces.",
  },
];

/** What is shown before there is anything to show: how to send the first trace. */
export function FirstTrace() {
  const { serverUrl } = useHost();
  const [chosen, setChosen] = useState(0);
  const way = WAYS[chosen] as Way;
  const text = way.text(serverUrl);
  return (
    <div className="first">
      <Logo />
      <h2>Waiting for the first trace</h2>
      <p className="muted">It appears here by itself, while it is still running.</p>
      <div className="first-card">
        <div className="tabs" role="tablist" aria-label="Ways to send a trace">
          {WAYS.map(({ name }, i) => (
            <button key={name} type="button" role="tab" aria-selected={i === chosen} onClick={() => setChosen(i)}>
              {name}
            </button>
          ))}
        </div>
        <div className="snippet" role="tabpanel">
          <pre>{text}</pre>
          <CopyButton text={() => text} label="Copy" />
        </div>
        <p className="muted">{way.note}</p>
      </div>
    </div>
  );
}

export function NothingFound({ clear }: { clear: () => void }) {
  return (
    <div className="state">
      <span className="state-icon">
        <Icon name="search" size={20} />
      </span>
      <h2>No trace matches</h2>
      <p>New ones that match appear here as they run.</p>
      <button type="button" className="button" onClick={clear}>
        Show all traces
      </button>
    </div>
  );
}
