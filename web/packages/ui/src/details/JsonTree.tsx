import { formatCount, type Json, type JsonRow, jsonPreview, jsonRows, PAGE, stringify } from "@aitrace/model";
import { useMemo, useState } from "react";
import { CopyButton } from "../parts/Copy.tsx";
import { Icon } from "../parts/Icon.tsx";

/** As many rows as may stand open unasked. */
const OPEN_ROWS = 40;
const LONG = 240;
const NONE = { toggled: new Set<string>(), limits: new Map<string, number>() };

/** The deepest level at which a value still opens to few rows. */
function openDepth(value: Json): number {
  for (const depth of [3, 2, 1]) if (jsonRows(value, { openDepth: depth, ...NONE }).length <= OPEN_ROWS) return depth;
  return 0;
}

/** JSON to walk through: objects and lists fold, long text folds, each value can be copied. */
export function JsonTree({ value }: { value: Json }) {
  const [toggled, setToggled] = useState<ReadonlySet<string>>(NONE.toggled);
  const [limits, setLimits] = useState<ReadonlyMap<string, number>>(NONE.limits);
  const depth = useMemo(() => openDepth(value), [value]);
  const rows = useMemo(() => jsonRows(value, { openDepth: depth, toggled, limits }), [value, depth, toggled, limits]);
  const toggle = (path: string): void => {
    const next = new Set(toggled);
    if (!next.delete(path)) next.add(path);
    setToggled(next);
  };
  const more = (row: JsonRow): void => {
    const path = row.path.slice(0, -2);
    setLimits(new Map(limits).set(path, (limits.get(path) ?? PAGE) + 10 * PAGE));
  };
  return (
    <div className="json" role="tree" aria-label="JSON">
      {rows.map((row) =>
        row.more === undefined ? (
          <JsonLine key={row.path} row={row} toggle={toggle} />
        ) : (
          <button
            key={row.path}
            type="button"
            className="link"
            style={{ marginInlineStart: row.depth * 14 + 14 }}
            onClick={() => more(row)}
          >
            Show {formatCount(Math.min(row.more, 10 * PAGE))} more of {formatCount(row.more)}
          </button>
        ),
      )}
    </div>
  );
}

function JsonLine({ row, toggle }: { row: JsonRow; toggle: (path: string) => void }) {
  const foldable = row.size > 0;
  return (
    <div
      className="json-line"
      role="treeitem"
      tabIndex={foldable ? 0 : -1}
      aria-level={row.depth + 1}
      aria-expanded={foldable ? row.expanded : undefined}
      aria-selected={false}
      style={{ paddingInlineStart: row.depth * 14 }}
      data-foldable={foldable || undefined}
      onClick={(event) => foldable && (event.target as Element).closest("button") === null && toggle(row.path)}
      onKeyDown={(event) => {
        const closes = event.key === "ArrowLeft" && row.expanded;
        const opens = event.key === "ArrowRight" && !row.expanded;
        if (!foldable || !(event.key === "Enter" || closes || opens) || event.target !== event.currentTarget) return;
        event.preventDefault();
        toggle(row.path);
      }}
    >
      <span className="twist" data-open={row.expanded || undefined} aria-hidden="true">
        {foldable && <Icon name="chevron" size={12} />}
      </span>
      <span className="json-content">
        {row.key !== null && <span className={typeof row.key === "number" ? "json-index" : "json-key"}>{row.key}</span>}
        <JsonValue row={row} />
      </span>
      <CopyButton
        text={() => (typeof row.value === "string" ? row.value : stringify(row.value, 2))}
        label="Copy the value"
      />
    </div>
  );
}

function JsonValue({ row }: { row: JsonRow }) {
  const [open, setOpen] = useState(false);
  const { value, kind, size, expanded } = row;
  if (size > 0)
    return (
      <span className="json-preview">{expanded ? (kind === "array" ? `[${size}]` : "") : jsonPreview(value)}</span>
    );
  if (typeof value !== "string") return <span className={`json-${kind}`}>{jsonPreview(value)}</span>;
  const long = value.length > LONG;
  return (
    <span className="json-string">
      {long && !open ? `${value.slice(0, LONG)}…` : value === "" ? '""' : value}
      {long && (
        <button type="button" className="link" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? "less" : `all ${formatCount(value.length)}`}
        </button>
      )}
    </span>
  );
}
