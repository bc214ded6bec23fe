/** The viewer's model: what the API sends, as pure data and functions. No framework, no DOM. */

export * from "./api.ts";
export * from "./chat.ts";
export * from "./decode.ts";
export * from "./format.ts";
export * from "./json.ts";
export * from "./jsonrows.ts";
export * from "./layout.ts";
export * from "./live.ts";
export * from "./route.ts";
export * from "./search.ts";
export * from "./time.ts";
export * from "./tree.ts";
