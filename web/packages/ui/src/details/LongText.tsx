import { formatCount } from "@aitrace/model";
import { useState } from "react";

const CHARS_PER_LINE = 110;

/** The first `lines` of `text`; `null` where that is all, or nearly all. */
function head(text: string, lines: number): string | null {
  const limit = lines * CHARS_PER_LINE;
  let end = -1;
  for (let i = 0; i < lines; i += 1) {
    end = text.indexOf("\n", end + 1);
    if (end < 0 || end > limit) break;
  }
  const cut = end < 0 || end > limit ? limit : end;
  return text.length > cut * 1.2 + 40 ? text.slice(0, cut) : null;
}

/** Text as it is, folded where it is long. */
export function LongText({ text, lines = 14, code = false }: { text: string; lines?: number; code?: boolean }) {
  const [open, setOpen] = useState(false);
  const short = head(text, lines);
  return (
    <div className={code ? "text code" : "text"}>
      <div className="text-body" data-folded={(short !== null && !open) || undefined}>
        {open || short === null ? text : short}
      </div>
      {short !== null && (
        <button type="button" className="link" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? "Show less" : `Show all ${formatCount(text.length)} characters`}
        </button>
      )}
    </div>
  );
}
