import { type ReactNode, useState } from "react";
import { useHost } from "../host.ts";
import { Icon } from "../parts/Icon.tsx";

interface SectionProps {
  readonly title: string;
  readonly count?: number | undefined;
  /** What stands at the right end of the heading. */
  readonly tools?: ReactNode;
  readonly tone?: "error";
  /** Whether it is open until the reader says otherwise; that is remembered by title. */
  readonly open?: boolean;
  readonly children: ReactNode;
}

/** A part of the details that can be folded; all of a title fold together, from span to span. */
export function Section({ title, count, tools, tone, open = true, children }: SectionProps) {
  const host = useHost();
  const key = `section.${title}`;
  const [shown, setShown] = useState(() => {
    const saved = host.load(key);
    return typeof saved === "boolean" ? saved : open;
  });
  return (
    <section className="section" data-tone={tone}>
      <div className="section-head">
        <button
          type="button"
          className="section-title"
          aria-expanded={shown}
          onClick={() => {
            setShown(!shown);
            host.save(key, !shown);
          }}
        >
          <span className="twist" data-open={shown || undefined}>
            <Icon name="chevron" size={12} />
          </span>
          <h3>{title}</h3>
          {count !== undefined && <span className="count">{count}</span>}
        </button>
        <span className="section-tools">{tools}</span>
      </div>
      {shown && <div className="section-body">{children}</div>}
    </section>
  );
}
