import { ancestors, type Row, type TraceState } from "@aitrace/model";
import { type RefObject, useMemo, useRef } from "react";
import { useHost } from "../host.ts";
import { useKeys } from "../keys.ts";
import { spanRange, type View } from "./useView.ts";

export interface Navigation {
  readonly search: RefObject<HTMLInputElement | null>;
  readonly tree: RefObject<HTMLDivElement | null>;
  readonly details: RefObject<HTMLElement | null>;
  /** Number of spans that failed. */
  readonly errors: number;
  /** Place of the selected row among the matches; -1 where it is none. */
  readonly selectedHit: number;
  focusTree(): void;
  nextError(): void;
  hit(step: 1 | -1): void;
}

interface Input {
  readonly state: TraceState;
  readonly view: View;
  readonly selected: string | null;
  select(key: string): void;
}

/** The next of `keys` after `current`, round and round. */
function cycle(keys: readonly string[], current: string | null, step: number): string | undefined {
  const at = current === null ? -1 : keys.indexOf(current);
  return at < 0 ? keys[step > 0 ? 0 : keys.length - 1] : keys[(at + step + keys.length) % keys.length];
}

function errorKeys(state: TraceState): string[] {
  // In the tree's order, which is the order of the nodes.
  return [...state.tree.nodes.keys()].filter((id) => state.spans.get(id)?.status === "error");
}

/** All that keys do on a trace's page. */
export function useNavigation({ state, view, selected, select }: Input): Navigation {
  const host = useHost();
  const search = useRef<HTMLInputElement>(null);
  const tree = useRef<HTMLDivElement>(null);
  const details = useRef<HTMLElement>(null);
  const errors = useMemo(() => errorKeys(state), [state]);

  const jump = (key: string | undefined): void => {
    if (key === undefined) return;
    view.show(key);
    select(key);
  };
  const navigation: Navigation = {
    search,
    tree,
    details,
    errors: errors.length,
    selectedHit: selected === null ? -1 : view.hits.indexOf(selected),
    focusTree: () => tree.current?.focus({ preventScroll: true }),
    nextError: () => jump(cycle(errors, selected, 1)),
    hit: (step) => jump(cycle(view.hits, selected, step)),
  };

  const commands = new Map<string, () => void>([
    ["/", () => search.current?.select()],
    ["e", navigation.nextError],
    ["z", () => view.zoom(view.zoomed || selected === null ? null : spanRange(state, selected, view))],
    ["l", view.toggleLogs],
    ["[", view.collapseAll],
    ["]", view.expandAll],
    ["n", () => navigation.hit(1)],
    ["N", () => navigation.hit(-1)],
    ["Backspace", () => host.location.push("/")],
  ]);

  useKeys((event) => {
    const inDetails = event.target instanceof Node && (details.current?.contains(event.target) ?? false);
    if (inDetails && event.key === "Escape") {
      navigation.focusTree();
      return true;
    }
    const command = commands.get(event.key);
    if (command) {
      command();
      return true;
    }
    // A focused button or link has its own use for the rest; in the details, keys scroll.
    const free = event.target === document.body || event.target === tree.current;
    return free && !inDetails && treeKey(event.key, { state, view, selected, select, tree, details });
  });
  return navigation;
}

interface TreeKeyInput extends Input {
  readonly tree: RefObject<HTMLDivElement | null>;
  readonly details: RefObject<HTMLElement | null>;
}

function treeKey(key: string, input: TreeKeyInput): boolean {
  const { view, selected, select } = input;
  const at = (selected === null ? undefined : view.index.get(selected)) ?? 0;
  const row = view.rows[at];
  if (row === undefined) return false;
  const page = Math.max(1, Math.floor((input.tree.current?.clientHeight ?? 300) / 28) - 1);
  const target = new Map([
    ["ArrowDown", at + 1],
    ["j", at + 1],
    ["ArrowUp", at - 1],
    ["k", at - 1],
    ["Home", 0],
    ["End", view.rows.length - 1],
    ["PageDown", at + page],
    ["PageUp", at - page],
  ]).get(key);
  if (target !== undefined) {
    const next = view.rows[Math.min(view.rows.length - 1, Math.max(0, target))];
    if (next) select(next.key);
    return true;
  }
  if (key === "ArrowRight") return openOrDescend(row, at, input);
  if (key === "ArrowLeft") return closeOrAscend(row, input);
  if (key !== "Enter") return false;
  input.details.current?.focus();
  return true;
}

function openOrDescend(row: Row, at: number, { view, select }: Input): boolean {
  if (row.type !== "span" || !row.expandable) return true;
  if (!row.expanded) view.toggle(row.id, true);
  else {
    const child = view.rows[at + 1];
    if (child) select(child.key);
  }
  return true;
}

function closeOrAscend(row: Row, { state, view, select }: Input): boolean {
  if (row.type === "span" && row.expanded) {
    view.toggle(row.id, false);
    return true;
  }
  const parent = row.type === "log" ? row.id : ancestors(state.spans, state.tree, row.id)[0];
  if (parent) select(parent);
  return true;
}
