import type { Status } from "@aitrace/model";

const WORDS: Record<Status, string> = { running: "Running", ok: "OK", error: "Error", lost: "Lost" };
const MEANINGS: Record<Status, string> = {
  running: "Running: it has begun and not ended",
  ok: "OK: it ended without an error",
  error: "Error: it failed",
  lost: "Lost: it never ended and its program has fallen silent",
};

export function StatusDot({ status }: { status: Status }) {
  return <span className="dot" data-status={status} role="img" aria-label={WORDS[status]} title={MEANINGS[status]} />;
}

export function StatusChip({ status }: { status: Status }) {
  return (
    <span className="chip status-chip" data-status={status} title={MEANINGS[status]}>
      <span className="dot" data-status={status} aria-hidden="true" />
      {WORDS[status]}
    </span>
  );
}

export function statusWord(status: Status): string {
  return WORDS[status];
}
