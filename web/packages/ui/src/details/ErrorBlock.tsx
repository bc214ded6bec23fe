import type { SpanError } from "@aitrace/model";
import { CopyButton } from "../parts/Copy.tsx";
import { LongText } from "./LongText.tsx";

export function ErrorBlock({ error }: { error: SpanError }) {
  return (
    <div className="error-block">
      <p className="error-message">
        {error.type !== "" && <strong>{error.type}</strong>}
        {error.type !== "" && error.message !== "" && ": "}
        {error.message}
      </p>
      {error.stacktrace !== "" && (
        <div className="stack">
          <LongText text={error.stacktrace} lines={24} code />
          <CopyButton text={() => error.stacktrace} label="Copy the stack trace" />
        </div>
      )}
    </div>
  );
}
