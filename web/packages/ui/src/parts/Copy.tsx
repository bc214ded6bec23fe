import { useEffect, useState } from "react";
import { useHost } from "../host.ts";
import { Icon } from "./Icon.tsx";

/** A button that copies what `text` gives, and shows for a moment that it did. */
export function CopyButton({ text, label, children }: { text: () => string; label: string; children?: string }) {
  const host = useHost();
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(false), 1200);
    return () => clearTimeout(timer);
  }, [done]);
  return (
    <button
      type="button"
      className={children ? "button small" : "tool"}
      data-done={done || undefined}
      title={label}
      aria-label={done ? "Copied" : label}
      onClick={(event) => {
        event.stopPropagation();
        host.copy(text()).then(
          () => setDone(true),
          () => setDone(false),
        );
      }}
    >
      <Icon name={done ? "check" : "copy"} size={14} />
      {children}
    </button>
  );
}

/** An id or a path in the code font, with a button that copies it. */
export function CopyText({ text, label }: { text: string; label: string }) {
  return (
    <span className="copytext">
      <code title={text}>{text}</code>
      <CopyButton text={() => text} label={label} />
    </span>
  );
}
