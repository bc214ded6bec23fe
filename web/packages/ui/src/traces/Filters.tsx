import { STATUSES, type TraceSummary, type TracesRoute } from "@aitrace/model";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { getProjects } from "../api.ts";
import { useHost } from "../host.ts";
import { useKeys } from "../keys.ts";
import { Icon } from "../parts/Icon.tsx";
import { statusWord } from "../parts/Status.tsx";

const TYPING_MS = 250;

interface FiltersProps {
  readonly route: TracesRoute;
  readonly traces: readonly TraceSummary[];
  go(route: TracesRoute): void;
}

/** Text that follows the address, and sets it when typing pauses. */
function useQueryText(route: TracesRoute, go: (route: TracesRoute) => void): [string, (text: string) => void] {
  const [text, setText] = useState(route.q);
  const sent = useRef(route.q);
  const latest = useRef({ route, go });
  useEffect(() => {
    latest.current = { route, go };
  });
  useEffect(() => {
    if (route.q !== sent.current) setText(route.q);
    sent.current = route.q;
  }, [route.q]);
  useEffect(() => {
    if (text === sent.current) return;
    const timer = setTimeout(() => {
      sent.current = text;
      latest.current.go({ ...latest.current.route, q: text });
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return [text, setText];
}

/** All projects: those that the server knows, and those that have come up since. */
function useProjects(traces: readonly TraceSummary[], chosen: string | null): string[] {
  const host = useHost();
  const { data } = useQuery({ queryKey: ["projects"], queryFn: ({ signal }) => getProjects(host, signal) });
  const seen = useRef(new Set<string>());
  for (const trace of traces) seen.current.add(trace.project);
  return [...new Set([...seen.current, ...(data ?? []), ...(chosen === null ? [] : [chosen])])].sort();
}

export function Filters({ route, traces, go }: FiltersProps) {
  const [text, setText] = useQueryText(route, go);
  const projects = useProjects(traces, route.project);
  const input = useRef<HTMLInputElement>(null);
  useKeys((event) => {
    if (event.key !== "/") return false;
    input.current?.select();
    return true;
  });
  return (
    <search className="filters">
      <label className="field search">
        <Icon name="search" size={14} />
        <input
          ref={input}
          type="search"
          value={text}
          placeholder="Search traces"
          aria-label="Search traces"
          spellCheck={false}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => event.key === "Escape" && (text === "" ? input.current?.blur() : setText(""))}
        />
        <kbd>/</kbd>
      </label>
      <label className="field select">
        <select
          aria-label="Project"
          value={route.project ?? ""}
          onChange={(event) => go({ ...route, project: event.target.value || null })}
        >
          <option value="">All projects</option>
          {projects.map((project) => (
            <option key={project} value={project}>
              {project}
            </option>
          ))}
        </select>
        <Icon name="down" size={12} />
      </label>
      <fieldset className="segments">
        <legend className="hidden">Status</legend>
        {[null, ...STATUSES].map((status) => (
          <button
            key={status ?? "all"}
            type="button"
            aria-pressed={route.status === status}
            onClick={() => go({ ...route, status })}
          >
            {status !== null && <span className="dot" data-status={status} aria-hidden="true" />}
            {status === null ? "All" : statusWord(status)}
          </button>
        ))}
      </fieldset>
    </search>
  );
}
