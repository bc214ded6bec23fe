import { ALL_TRACES } from "@aitrace/model";
import { type ReactNode, useState } from "react";
import { type Connection, useConnection } from "./feed.ts";
import { type Theme, useHost } from "./host.ts";
import { Icon, type IconName, Logo } from "./parts/Icon.tsx";
import { Link } from "./router.tsx";

const CONNECTIONS: Record<Connection, readonly [string, string]> = {
  connecting: ["Connecting", "Waiting for the server's live events"],
  open: ["Live", "What happens is shown as it happens"],
  lost: ["Reconnecting", "The live connection broke; it is being tried again"],
};

const THEMES: Record<Theme, { icon: IconName; next: Theme; label: string }> = {
  system: { icon: "monitor", next: "light", label: "Theme: as the system" },
  light: { icon: "sun", next: "dark", label: "Theme: light" },
  dark: { icon: "moon", next: "system", label: "Theme: dark" },
};

function ThemeButton() {
  const host = useHost();
  const [theme, setTheme] = useState<Theme>(() => host.theme?.read() ?? "system");
  const { icon, next, label } = THEMES[theme];
  if (!host.theme) return null;
  return (
    <button
      type="button"
      className="tool"
      title={`${label}. Click for ${next === "system" ? "the system's" : next}`}
      aria-label={label}
      onClick={() => {
        host.theme?.set(next);
        setTheme(next);
      }}
    >
      <Icon name={icon} />
    </button>
  );
}

export function TopBar({ children, help }: { children?: ReactNode; help: () => void }) {
  const connection = useConnection();
  const [word, meaning] = CONNECTIONS[connection];
  return (
    <header className="topbar">
      <Link to={ALL_TRACES} className="brand" aria-label="aitrace: all traces">
        <Logo />
        <span>aitrace</span>
      </Link>
      <div className="crumbs">{children}</div>
      <span className="connection" data-connection={connection} title={meaning} role="status">
        <span className="dot" aria-hidden="true" />
        {word}
      </span>
      <ThemeButton />
      <button type="button" className="tool" title="Keyboard (?)" aria-label="Keyboard help" onClick={help}>
        <Icon name="help" />
      </button>
    </header>
  );
}
