import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { asMessages } from "./chat.ts";
import type { Json } from "./json.ts";

const text = (value: string) => ({ type: "text", text: value });

describe("conversations", () => {
  test("OpenAI: messages with tool calls and their results", () => {
    const messages = asMessages({
      model: "gpt-5",
      messages: [
        { role: "system", content: "Be brief." },
        {
          role: "user",
          content: [
            { type: "text", text: "Weather?" },
            { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } },
          ],
        },
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "c1", type: "function", function: { name: "weather", arguments: '{"city":"Oslo"}' } }],
        },
        { role: "tool", tool_call_id: "c1", content: '{"t":7}' },
      ],
    });
    expect(messages).toEqual([
      { role: "system", name: null, parts: [text("Be brief.")] },
      {
        role: "user",
        name: null,
        parts: [text("Weather?"), { type: "media", media: "image", source: "data:image/png;base64,…" }],
      },
      { role: "assistant", name: null, parts: [{ type: "call", name: "weather", id: "c1", args: { city: "Oslo" } }] },
      { role: "tool", name: null, parts: [{ type: "result", id: "c1", value: { t: 7 } }] },
    ]);
  });

  test("OpenAI: choices", () => {
    expect(asMessages({ choices: [{ index: 0, message: { role: "assistant", content: "Hello" } }] })).toEqual([
      { role: "assistant", name: null, parts: [text("Hello")] },
    ]);
  });

  test("Anthropic: blocks, system beside the messages", () => {
    expect(
      asMessages({
        system: "Be kind.",
        messages: [
          {
            role: "assistant",
            content: [
              { type: "thinking", thinking: "hm" },
              { type: "tool_use", id: "t1", name: "f", input: { a: 1 } },
            ],
          },
          {
            role: "user",
            content: [{ type: "tool_result", tool_use_id: "t1", content: [{ type: "text", text: "42" }] }],
          },
        ],
      }),
    ).toEqual([
      { role: "system", name: null, parts: [text("Be kind.")] },
      {
        role: "assistant",
        name: null,
        parts: [
          { type: "reasoning", text: "hm" },
          { type: "call", name: "f", id: "t1", args: { a: 1 } },
        ],
      },
      { role: "user", name: null, parts: [{ type: "result", id: "t1", value: "42" }] },
    ]);
  });

  test("OpenTelemetry: parts", () => {
    expect(
      asMessages([
        { role: "user", parts: [{ type: "text", content: "Hi" }] },
        {
          role: "assistant",
          parts: [{ type: "tool_call", id: "1", name: "f", arguments: { a: 1 } }],
          finish_reason: "tool_calls",
        },
        { role: "tool", parts: [{ type: "tool_call_response", id: "1", response: "ok" }] },
      ]),
    ).toEqual([
      { role: "user", name: null, parts: [text("Hi")] },
      { role: "assistant", name: null, parts: [{ type: "call", name: "f", id: "1", args: { a: 1 } }] },
      { role: "tool", name: null, parts: [{ type: "result", id: "1", value: "ok" }] },
    ]);
  });

  test("OpenInference: wrapped messages", () => {
    const wrapped = {
      message: {
        role: "assistant",
        contents: [{ message_content: { type: "text", text: "Hi" } }],
        tool_calls: [{ tool_call: { id: "1", function: { name: "f", arguments: "{}" } } }],
      },
    };
    expect(asMessages([wrapped])).toEqual([
      { role: "assistant", name: null, parts: [text("Hi"), { type: "call", name: "f", id: "1", args: {} }] },
    ]);
  });

  test("JSON text is read", () => {
    expect(asMessages('{"messages":[{"role":"user","content":"x"}]}')).toHaveLength(1);
  });
});

test("other data is no conversation", () => {
  const others: Json[] = [
    null,
    1,
    "plain",
    [],
    {},
    { role: "admin", content: "x" },
    [{ role: "user" }, 3],
    { input: "text" },
    { messages: "none" },
    { role: 5 },
  ];
  for (const value of others) expect(asMessages(value)).toBeUndefined();
});

test("an unknown part is kept as JSON", () => {
  expect(asMessages([{ role: "user", content: [{ type: "hologram", x: 1 }] }])).toEqual([
    { role: "user", name: null, parts: [{ type: "json", value: { type: "hologram", x: 1 } }] },
  ]);
});

test("no value makes it throw", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => void asMessages(value as Json)));
  const junk = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom("user", "text", "tool_call", "x", null, 1),
      fc.array(tie("value")),
      tie("object"),
    ),
    object: fc.dictionary(
      fc.constantFrom("role", "content", "parts", "type", "tool_calls", "message", "messages", "text", "function"),
      tie("value"),
    ),
  }));
  fc.assert(fc.property(junk.value, (value) => void asMessages(value as Json)));
});
