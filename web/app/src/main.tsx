import "./theme.css";
import { App } from "@aitrace/ui";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { browserHost } from "./host.ts";

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App host={browserHost} />
    </StrictMode>,
  );
}
