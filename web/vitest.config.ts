import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["packages/*/src/**/*.test.ts", "app/src/**/*.test.ts"],
    environment: "node",
    // Times are shown in the reader's zone; tests read one.
    env: { TZ: "UTC" },
  },
});
