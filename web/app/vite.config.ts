import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";
import { mockServer } from "./mock/plugin.ts";

/** The server to develop against, as in `AITRACE_URL=http://127.0.0.1:8000 npm run dev`; without it, the mock. */
const server = process.env["AITRACE_URL"];

export default defineConfig({
  plugins: [react(), ...(server ? [] : [mockServer() as Plugin])],
  server: { ...(server ? { proxy: { "/api": { target: server, changeOrigin: true } } } : {}) },
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    target: "es2022",
    // A page under `default-src 'none'` may not load what is inlined as data, but images.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
});
