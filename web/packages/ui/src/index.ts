/** The viewer as React components over a [[Host]]. */

export { App } from "./App.tsx";
export type { Answer, Host, LiveSink, Theme } from "./host.ts";
