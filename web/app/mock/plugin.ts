/** The mock inside Vite's server: `npm run dev` shows agents at work without any other program. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { agentTrace, history, playAgent } from "./agent.ts";
import { handleApi } from "./server.ts";
import { MockStore } from "./store.ts";

const PAUSE_MS = 4_000;

interface DevServer {
  middlewares: { use(handler: (request: IncomingMessage, response: ServerResponse, next: () => void) => void): void };
}

export function mockServer(): { name: string; configureServer(server: DevServer): void } {
  return {
    name: "aitrace-mock",
    configureServer(server) {
      const store = new MockStore();
      history(store, 240, Date.now());
      const again = async (round: number): Promise<void> => {
        await playAgent(
          store,
          agentTrace(`live ${round}`, Date.now()),
          (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
        );
        setTimeout(() => void again(round + 1), PAUSE_MS);
      };
      void again(1);
      server.middlewares.use((request, response, next) => {
        if (!handleApi(request, response, store)) next();
      });
    },
  };
}
