import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["e2e/**/*.spec.ts"],
    root: new URL("..", import.meta.url).pathname,
    environment: "node",
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // One browser at a time: the machine's cores belong to it.
    fileParallelism: false,
  },
});
