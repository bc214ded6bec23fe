import { ApiFailure } from "../api.ts";
import { Icon } from "./Icon.tsx";

/** Why something is not shown, in the server's own words, and what to do. */
export function Failure({ error, retry }: { error: Error; retry?: (() => void) | undefined }) {
  const hint = error instanceof ApiFailure ? error.hint : null;
  return (
    <div className="state" role="alert">
      <span className="state-icon" data-tone="error">
        <Icon name="error" size={20} />
      </span>
      <h2>{error.message}</h2>
      {hint && <p>{hint}</p>}
      {retry && (
        <button type="button" className="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}
