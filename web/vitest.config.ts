import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["packages/*/src/**/*.test.ts", "packages/*/src/**/*.test.tsx"],
    environment: "node",
    // Times are shown in the reader's zone; tests read one.
    env: { TZ: "UTC" },
  },
});
