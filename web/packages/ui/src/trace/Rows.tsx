import {
  bar,
  formatClock,
  formatCount,
  formatDuration,
  formatRunning,
  formatTokens,
  highlight,
  type LogRow,
  millisBetween,
  type Nanos,
  type Range,
  type Span,
  shownEnd,
  type TreeNode,
} from "@aitrace/model";
import { type CSSProperties, memo, type ReactNode } from "react";
import { Icon, KindIcon } from "../parts/Icon.tsx";

interface Common {
  readonly domId: string;
  readonly top: number;
  readonly index: number;
  readonly selected: boolean;
  readonly matching: boolean;
  readonly query: string;
  readonly range: Range;
}

function Indent({ depth }: { depth: number }) {
  return <span className="indent" style={{ "--depth": depth } as CSSProperties} aria-hidden="true" />;
}

function Marked({ text, query }: { text: string; query: string }): ReactNode {
  if (query.trim() === "") return text;
  // biome-ignore lint/suspicious/noArrayIndexKey: the pieces are their places
  return highlight(text, query).map((piece, i) => (i % 2 === 1 ? <mark key={i}>{piece}</mark> : piece));
}

interface SpanRowProps extends Common {
  readonly span: Span;
  readonly node: TreeNode;
  readonly depth: number;
  readonly expandable: boolean;
  readonly expanded: boolean;
  /** Set while the span runs. */
  readonly now: Nanos | null;
}

const IRREGULAR = {
  orphan: "Its parent is not here (yet): shown as a root",
  cycle: "Its parents form a circle: cut here",
} as const;

export const SpanRowView = memo(function SpanRowView(props: SpanRowProps) {
  const { span, node, depth, expandable, expanded, now, top, index, selected, query } = props;
  const end = shownEnd(span, now ?? span.start);
  const elapsed = millisBetween(span.start, end);
  const running = span.status === "running";
  return (
    <div
      id={props.domId}
      className="row"
      role="row"
      aria-level={depth + 1}
      aria-expanded={expandable ? expanded : undefined}
      aria-selected={selected}
      aria-rowindex={index + 1}
      data-key={span.spanId}
      data-status={span.status}
      data-kind={span.kind}
      data-match={props.matching || undefined}
      style={{ transform: `translateY(${top}px)` }}
    >
      <div className="cell-name" role="gridcell">
        <Indent depth={depth} />
        <span
          className="twist"
          data-toggle={expandable || undefined}
          data-open={expanded || undefined}
          aria-hidden="true"
        >
          {expandable && <Icon name="chevron" size={12} />}
        </span>
        <KindIcon kind={span.kind} />
        <span className="name" title={span.name}>
          {span.name === "" ? <em>unnamed</em> : <Marked text={span.name} query={query} />}
        </span>
        {expandable && !expanded && node.descendants > 0 && (
          <span className="folded">{formatCount(node.descendants)}</span>
        )}
        {node.irregular !== null && (
          <span className="irregular" title={IRREGULAR[node.irregular]}>
            <Icon name="warning" size={12} />
          </span>
        )}
        <span className="aside">
          {showsModel(span) && <span className="model">{span.model}</span>}
          <RowTokens span={span} />
          {span.status === "error" && (
            <span className="fail" title={span.error?.message}>
              <Icon name="error" size={14} />
            </span>
          )}
          {span.status === "lost" && <span className="lost">lost</span>}
        </span>
      </div>
      <div className="cell-time num" role="gridcell">
        {running ? (
          <span className="growing">{formatRunning(elapsed)}</span>
        ) : span.status === "lost" ? (
          "–"
        ) : (
          formatDuration(elapsed)
        )}
      </div>
      <div className="cell-bar" role="gridcell">
        <span className="bar" style={barStyle(span.start, end, props.range)} />
      </div>
    </div>
  );
});

/** Whether the model says something that the name, as in `chat gpt-5-mini`, has not said. */
function showsModel({ name, model }: Span): boolean {
  const words = name.toLowerCase().split(/\s+/);
  return model !== null && !words.some((word) => word.length > 3 && model.toLowerCase().startsWith(word));
}

function RowTokens({ span }: { span: Span }) {
  const total = (span.inputTokens ?? 0) + (span.outputTokens ?? 0);
  if (total === 0) return null;
  const title = `${formatCount(span.inputTokens ?? 0)} tokens in, ${formatCount(span.outputTokens ?? 0)} out`;
  return (
    <span className="tokens" title={title}>
      {formatTokens(total)}
    </span>
  );
}

/** Far outside, a bar needs no exact place: browsers round large lengths. */
function clamp(value: number): number {
  return Math.min(1.1, Math.max(-0.1, value));
}

function barStyle(start: Nanos, end: Nanos, range: Range): CSSProperties {
  const { left, width, hidden } = bar(start, end, range);
  if (hidden) return { display: "none" };
  const from = clamp(left);
  const to = clamp(left + width);
  return { left: `${(from * 100).toFixed(3)}%`, width: `${((to - from) * 100).toFixed(3)}%` };
}

function tickStyle(time: Nanos, range: Range): CSSProperties {
  const { left, hidden } = bar(time, time, range);
  return hidden ? { display: "none" } : { left: `${(left * 100).toFixed(3)}%` };
}

export const LogRowView = memo(function LogRowView(props: Common & { readonly row: LogRow }) {
  const { row, top, index, selected, query } = props;
  const { log } = row;
  return (
    <div
      id={props.domId}
      className="row log"
      role="row"
      aria-level={row.depth + 1}
      aria-selected={selected}
      aria-rowindex={index + 1}
      data-key={row.key}
      data-level={log.level}
      data-match={props.matching || undefined}
      style={{ transform: `translateY(${top}px)` }}
    >
      <div className="cell-name" role="gridcell">
        <Indent depth={row.depth} />
        <span className="twist" />
        <span className="level" title={log.level} />
        <span className="name" title={log.event}>
          <Marked text={log.event} query={query} />
        </span>
        <span className="aside">{log.logger !== null && <span className="model">{log.logger}</span>}</span>
      </div>
      <div className="cell-time num muted" role="gridcell" title={formatClock(log.time)}>
        {log.level === "info" ? "log" : log.level}
      </div>
      <div className="cell-bar" role="gridcell">
        <span className="tick" style={tickStyle(log.time, props.range)} />
      </div>
    </div>
  );
});
