import { asMessages, type Json, jsonKind, type Message, parseStructured, stringify } from "@aitrace/model";
import { useMemo, useState } from "react";
import { CopyButton } from "../parts/Copy.tsx";
import { Conversation } from "./Conversation.tsx";
import { JsonTree } from "./JsonTree.tsx";
import { LongText } from "./LongText.tsx";
import { Section } from "./Section.tsx";

interface Reading {
  readonly messages: Message[] | undefined;
  /** The value, or what its text holds. */
  readonly value: Json;
}

function useReading(value: Json): Reading {
  return useMemo(() => {
    const inner = typeof value === "string" ? (parseStructured(value) ?? value) : value;
    return { messages: asMessages(inner), value: inner };
  }, [value]);
}

/** What went in or came out: a conversation where it is one, else text or JSON. */
export function ValueSection({ title, value }: { title: string; value: Json }) {
  const reading = useReading(value);
  const [raw, setRaw] = useState(false);
  const tools = (
    <>
      {reading.messages !== undefined && (
        <button type="button" className="button small quiet" aria-pressed={raw} onClick={() => setRaw(!raw)}>
          JSON
        </button>
      )}
      <CopyButton
        text={() => (typeof value === "string" ? value : stringify(value, 2))}
        label={`Copy ${title.toLowerCase()}`}
      />
    </>
  );
  return (
    <Section
      title={title}
      count={reading.messages && reading.messages.length > 1 ? reading.messages.length : undefined}
      tools={tools}
    >
      {reading.messages !== undefined && !raw ? (
        <Conversation messages={reading.messages} />
      ) : (
        <PlainValue value={reading.value} />
      )}
    </Section>
  );
}

/** A value without a story: text, a figure, or a tree. */
export function PlainValue({ value }: { value: Json }) {
  if (typeof value === "string") return <LongText text={value} />;
  if (typeof value === "object" && value !== null && jsonKind(value) !== "number") return <JsonTree value={value} />;
  return <code className={`json-${jsonKind(value)}`}>{String(value)}</code>;
}
