import type { TraceState } from "@aitrace/model";
import { Icon, type IconName } from "../parts/Icon.tsx";
import type { Navigation } from "./useNavigation.ts";
import type { View } from "./useView.ts";

interface ToolProps {
  readonly icon: IconName;
  readonly label: string;
  readonly pressed?: boolean;
  readonly disabled?: boolean;
  onClick(): void;
}

function Tool({ icon, label, pressed, disabled = false, onClick }: ToolProps) {
  return (
    <button
      type="button"
      className="tool"
      title={label}
      aria-label={label}
      aria-pressed={pressed}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}

export function Toolbar({ state, view, navigation }: { state: TraceState; view: View; navigation: Navigation }) {
  const { hits, query } = view;
  const place = navigation.selectedHit < 0 ? "" : `${navigation.selectedHit + 1} of `;
  return (
    <div className="toolbar" role="toolbar" aria-label="Tree">
      <label className="field search">
        <Icon name="search" size={14} />
        <input
          ref={navigation.search}
          type="search"
          placeholder={state.skeleton ? "Search names and kinds" : "Search this trace"}
          aria-label="Search this trace"
          spellCheck={false}
          value={query}
          onChange={(event) => view.setQuery(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter") navigation.hit(event.shiftKey ? -1 : 1);
            else if (event.key === "Escape") {
              view.setQuery("");
              navigation.focusTree();
            } else if (event.key === "ArrowDown") navigation.focusTree();
            else return;
            event.preventDefault();
          }}
        />
        {query.trim() === "" ? (
          <kbd>/</kbd>
        ) : (
          <span className="hits">{hits.length === 0 ? "none" : `${place}${hits.length}`}</span>
        )}
      </label>
      {hits.length > 0 && (
        <>
          <Tool icon="up" label="Previous match (Shift+Enter)" onClick={() => navigation.hit(-1)} />
          <Tool icon="down" label="Next match (Enter)" onClick={() => navigation.hit(1)} />
        </>
      )}
      <span className="space" />
      {navigation.errors > 0 && (
        <button
          type="button"
          className="button small error"
          title="Next error (e)"
          onClick={() => navigation.nextError()}
        >
          <Icon name="error" size={14} />
          {navigation.errors}
        </button>
      )}
      {view.zoomed && (
        <button type="button" className="button small" title="Show the whole trace (z)" onClick={() => view.zoom(null)}>
          <Icon name="fit" size={14} />
          Whole trace
        </button>
      )}
      <Tool
        icon="log"
        label={view.logs ? "Hide logs (l)" : "Show logs (l)"}
        pressed={view.logs}
        disabled={state.logs.length === 0}
        onClick={view.toggleLogs}
      />
      <Tool icon="collapse" label="Collapse all ([)" onClick={view.collapseAll} />
      <Tool icon="expand" label="Expand all (])" onClick={view.expandAll} />
    </div>
  );
}
