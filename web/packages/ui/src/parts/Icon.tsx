/** The viewer's icons: strokes on a grid of 16. */

import type { Kind } from "@aitrace/model";

const PATHS = {
  // Kinds
  llm: "M8 2l1.5 4.5L14 8l-4.5 1.5L8 14l-1.5-4.5L2 8l4.5-1.5z",
  agent: "M4 6.5h8v6H4zM8 6.5V3.5M8 3.2v.1M6.3 9.2v.6M9.7 9.2v.6M2 8.8v1.6M14 8.8v1.6",
  chain:
    "M6.8 9.2a2.6 2.6 0 0 0 3.7 0l2-2a2.6 2.6 0 0 0-3.7-3.7l-.7.7M9.2 6.8a2.6 2.6 0 0 0-3.7 0l-2 2a2.6 2.6 0 0 0 3.7 3.7l.7-.7",
  tool: "M13.2 4.6l-2.3 2.3-1.8-1.8 2.3-2.3a3.4 3.4 0 0 0-4.5 4.3L2.6 11.4a1.4 1.4 0 0 0 2 2l4.3-4.3a3.4 3.4 0 0 0 4.3-4.5z",
  retriever: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.3 10.3L13.8 13.8",
  embedding: "M3.5 3.5v.01M8 3.5v.01M12.5 3.5v.01M3.5 8v.01M8 8v.01M12.5 8v.01M3.5 12.5v.01M8 12.5v.01M12.5 12.5v.01",
  reranker: "M4.5 13V3M2 5.5L4.5 3 7 5.5M9 4h5M9 8h4M9 12h2.5",
  guardrail: "M8 1.8l5 2v3.7c0 3.2-2.1 5.5-5 6.7-2.9-1.2-5-3.5-5-6.7V3.8z",
  evaluator: "M13.8 7.4a5.8 5.8 0 1 1-3-4.5M5.6 7.6L8 10l5.8-6.4",
  prompt: "M2.5 3.5h11v7.5H8l-3 2.5V11H2.5z",
  span: "M8 11.2a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4z",
  // Everything else
  chevron: "M6 4l4 4-4 4",
  close: "M4 4l8 8M12 4l-8 8",
  copy: "M5.5 5.5h7.5v8H5.5zM10.5 5.5V2.5H3v8h2.5",
  check: "M3 8.5l3.5 3.5L13 4.5",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.3 10.3L13.5 13.5",
  error: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 5v3.5M8 11v.1",
  warning: "M8 2.5L14.5 13.5h-13zM8 6.8v3M8 11.8v.1",
  log: "M3 4h10M3 8h10M3 12h6",
  sun: "M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6zM8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9",
  moon: "M13.5 9.8A5.8 5.8 0 0 1 6.2 2.5a5.8 5.8 0 1 0 7.3 7.3z",
  monitor: "M2 3h12v8.5H2zM6 14h4M8 11.5V14",
  help: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM6.3 6.3a1.7 1.7 0 1 1 2.5 1.5c-.5.3-.8.6-.8 1.2M8 11.2v.1",
  expand: "M4 6l4-4 4 4M4 10l4 4 4-4",
  collapse: "M4 2.5l4 4 4-4M4 13.5l4-4 4 4",
  code: "M5.5 4.5L2 8l3.5 3.5M10.5 4.5L14 8l-3.5 3.5",
  fit: "M2 8h12M2 5v6M14 5v6M5 8l1.5-1.5M5 8l1.5 1.5M11 8L9.5 6.5M11 8L9.5 9.5",
  up: "M4 9.5l4-4 4 4",
  down: "M4 6.5l4 4 4-4",
  link: "M9 3h4v4M13 3L7 9M11 9.5V13H3V5h3.5",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The sign of a kind on a tile of its colour. */
export function KindIcon({ kind }: { kind: Kind }) {
  return (
    <span className="kind" data-kind={kind} title={kind}>
      <Icon name={kind} size={12} />
    </span>
  );
}

export function Logo() {
  return (
    <svg className="logo" width="22" height="22" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="7" />
      <path d="M7 10h11M11 16h14M15 22h7" />
    </svg>
  );
}
