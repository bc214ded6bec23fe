import type { Message, Part } from "@aitrace/model";
import { Icon } from "../parts/Icon.tsx";
import { JsonTree } from "./JsonTree.tsx";
import { LongText } from "./LongText.tsx";
import { PlainValue } from "./ValueSection.tsx";

const ROLES: Record<string, string> = {
  system: "System",
  developer: "Developer",
  user: "User",
  human: "User",
  assistant: "Assistant",
  ai: "Assistant",
  model: "Assistant",
  tool: "Tool",
  function: "Tool",
};

/** Messages one below the other, as they were said. */
export function Conversation({ messages }: { messages: readonly Message[] }) {
  return (
    <ol className="conversation">
      {messages.map((message, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: messages have no id and never move
        <li className="message" data-role={ROLES[message.role]?.toLowerCase()} key={i}>
          <div className="message-role">
            {ROLES[message.role] ?? message.role}
            {message.name !== null && <span className="muted"> {message.name}</span>}
          </div>
          {message.parts.map((part, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: as above
            <PartView key={at} part={part} lines={message.role === "system" ? 6 : 18} />
          ))}
          {message.parts.length === 0 && <span className="muted">empty</span>}
        </li>
      ))}
    </ol>
  );
}

function PartView({ part, lines }: { part: Part; lines: number }) {
  switch (part.type) {
    case "text":
      return <LongText text={part.text} lines={lines} />;
    case "reasoning":
      return (
        <div className="reasoning">
          <LongText text={part.text} lines={6} />
        </div>
      );
    case "call":
      return (
        <div className="call">
          <div className="call-head" title={part.id ?? undefined}>
            <Icon name="tool" size={14} />
            <code>{part.name}</code>
            {part.id !== null && <span className="muted">{part.id}</span>}
          </div>
          {part.args !== null && <PlainValue value={part.args} />}
        </div>
      );
    case "result":
      return (
        <div className="call">
          {part.id !== null && (
            <div className="call-head muted" title={part.id}>
              for {part.id}
            </div>
          )}
          <PlainValue value={part.value} />
        </div>
      );
    case "media":
      return (
        <div className="media">
          <span className="chip">{part.media}</span>
          <code title={part.source}>{part.source}</code>
        </div>
      );
    case "json":
      return <JsonTree value={part.value} />;
  }
}
