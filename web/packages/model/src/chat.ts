/**
 * Recognises conversations in what goes into and comes out of a model, in the shapes that are about: OpenAI's chat
 * and responses, Anthropic's blocks, OpenTelemetry's parts, OpenInference's wrapped messages. Anything else is JSON.
 */

import { field, isObject, type Json, parseStructured } from "./json.ts";

export type Part =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string }
  | { readonly type: "call"; readonly name: string; readonly id: string | null; readonly args: Json }
  | { readonly type: "result"; readonly id: string | null; readonly value: Json }
  /** Something that is named, not loaded: an image, audio, a file. */
  | { readonly type: "media"; readonly media: string; readonly source: string }
  | { readonly type: "json"; readonly value: Json };

export interface Message {
  readonly role: string;
  readonly name: string | null;
  readonly parts: readonly Part[];
}

const ROLES = new Set(["system", "developer", "user", "human", "assistant", "ai", "model", "tool", "function"]);
/** Fields that hold a list of messages, or one. */
const HOLDERS = ["messages", "input_messages", "output_messages", "input", "output", "message", "contents"];

/** The conversation in `value`; `undefined` where it is none. */
export function asMessages(value: Json): Message[] | undefined {
  return read(value, 0);
}

function read(value: Json, depth: number): Message[] | undefined {
  // Wrappers nest two or three deep; more is data that happens to look like one.
  if (depth > 4) return undefined;
  if (typeof value === "string") {
    const parsed = parseStructured(value);
    return parsed === undefined ? undefined : read(parsed, depth + 1);
  }
  if (Array.isArray(value)) {
    const messages = value.map(readMessage);
    return value.length > 0 && messages.every((message) => message !== undefined) ? messages : undefined;
  }
  if (!isObject(value)) return undefined;
  const message = readMessage(value);
  if (message !== undefined) return [message];
  const choices = field(value, "choices");
  if (Array.isArray(choices))
    return read(
      choices.map((choice) => field(choice, "message") ?? null),
      depth + 1,
    );
  for (const key of HOLDERS) {
    const inner = field(value, key);
    const messages = inner === undefined ? undefined : read(inner, depth + 1);
    if (messages !== undefined) return withSystem(value, messages);
  }
  return undefined;
}

/** Anthropic and others keep the system prompt beside the messages. */
function withSystem(value: Json, messages: Message[]): Message[] {
  const system = field(value, "system") ?? field(value, "instructions") ?? field(value, "system_instructions");
  if (system === undefined || system === null || system === "") return messages;
  return [{ role: "system", name: null, parts: readContent(system) }, ...messages];
}

function readMessage(value: Json): Message | undefined {
  const wrapped = field(value, "message");
  if (isObject(wrapped) && typeof field(wrapped, "role") === "string") return readMessage(wrapped);
  const role = field(value, "role");
  if (typeof role !== "string" || !ROLES.has(role.toLowerCase())) return undefined;
  const name = field(value, "name");
  const toolId = field(value, "tool_call_id");
  const content = field(value, "content") ?? field(value, "contents") ?? field(value, "parts");
  const parts: Part[] = [];
  const reasoning = field(value, "reasoning_content") ?? field(value, "reasoning");
  if (typeof reasoning === "string" && reasoning !== "") parts.push({ type: "reasoning", text: reasoning });
  if (typeof toolId === "string" && content !== undefined) {
    parts.push({ type: "result", id: toolId, value: unwrapText(content) });
  } else if (content !== undefined && content !== null && content !== "") {
    parts.push(...readContent(content));
  }
  for (const call of asList(field(value, "tool_calls"))) parts.push(readCall(call));
  const legacy = field(value, "function_call");
  if (isObject(legacy)) parts.push(readCall(legacy));
  const refusal = field(value, "refusal");
  if (typeof refusal === "string" && refusal !== "") parts.push({ type: "text", text: refusal });
  return { role: role.toLowerCase(), name: typeof name === "string" ? name : null, parts };
}

function asList(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

/** A tool's answer as text where it is one, so that it reads as one. */
function unwrapText(content: Json): Json {
  if (Array.isArray(content) && content.length === 1) {
    const text = field(content[0], "text");
    if (typeof text === "string") return parseStructured(text) ?? text;
  }
  return typeof content === "string" ? (parseStructured(content) ?? content) : content;
}

function readContent(content: Json): Part[] {
  if (typeof content === "string") return [{ type: "text", text: content }];
  return Array.isArray(content) ? content.map(readPart) : [readPart(content)];
}

function parseArgs(args: Json | undefined): Json {
  return typeof args === "string" ? (parseStructured(args) ?? args) : (args ?? null);
}

function firstText(value: Json, ...keys: string[]): string | null {
  for (const key of keys) {
    const item = field(value, key);
    if (typeof item === "string") return item;
  }
  return null;
}

function readCall(value: Json): Part {
  const wrapped = field(value, "tool_call") ?? value;
  const inner = field(wrapped, "function") ?? wrapped;
  return {
    type: "call",
    name: firstText(inner, "name") ?? "?",
    id: firstText(wrapped, "id", "call_id"),
    args: parseArgs(field(inner, "arguments") ?? field(inner, "args") ?? field(inner, "input")),
  };
}

function readPart(value: Json): Part {
  if (typeof value === "string") return { type: "text", text: value };
  const part = field(value, "message_content") ?? value;
  const type = firstText(part, "type") ?? "";
  const text = firstText(part, "text", "content");
  switch (type) {
    case "tool_use":
    case "tool_call":
    case "function_call":
      return readCall(part);
    case "tool_result":
    case "tool_call_response":
    case "function_call_output": {
      const result =
        field(part, "content") ?? field(part, "response") ?? field(part, "result") ?? field(part, "output");
      return { type: "result", id: firstText(part, "tool_use_id", "id", "call_id"), value: unwrapText(result ?? null) };
    }
    case "thinking":
    case "reasoning": {
      const thought = firstText(part, "thinking", "text", "content", "summary");
      return thought === null ? { type: "json", value: part } : { type: "reasoning", text: thought };
    }
    case "":
    case "text":
    case "input_text":
    case "output_text":
    case "refusal":
      return text === null ? { type: "json", value: part } : { type: "text", text };
    default:
      return readMedia(type, part) ?? { type: "json", value: part };
  }
}

function readMedia(type: string, part: Json): Part | undefined {
  if (!/image|audio|video|file|document|blob|uri/.test(type)) return undefined;
  const inner = field(part, type) ?? field(part, "source") ?? part;
  const source =
    typeof inner === "string"
      ? inner
      : (firstText(inner, "url", "uri", "file_id", "filename", "media_type", "mime_type") ?? "");
  // A data URL is its content; its head says what it is.
  const shown = source.startsWith("data:") ? `${source.slice(0, source.indexOf(",") + 1)}…` : source;
  return { type: "media", media: type.replace(/^input_|_url$/g, ""), source: shown };
}
