/**
 * JSON whose numbers keep every digit. `JSON.parse` rounds integers past 2^53 and cuts long decimals; a user's
 * 64-bit id would be shown wrong. Numbers that a double cannot hold come out as [[RawNumber]], all others as numbers.
 */

/** A JSON number that no double can hold; `text` is exactly what was sent. */
export class RawNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  toString(): string {
    return this.text;
  }
}

export type Json = null | boolean | number | string | RawNumber | Json[] | JsonObject;
/** Keys are the user's: look up with [[field]], never with `in` or a plain index. */
export interface JsonObject {
  [key: string]: Json;
}

/** What is wrong with a text that is not JSON. */
export class JsonError extends Error {
  override name = "JsonError";
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof RawNumber);
}

/** The value of an own key; a key such as `__proto__` or `constructor` finds only what was sent. */
export function field(value: unknown, key: string): Json | undefined {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

// A number token with so many characters, or such an exponent, that a double may not hold it. It also matches inside
// strings; that costs time only.
const RISKY = /(?:^|[:[,\s])-?(?:\d[\d.]{15,}|[\d.]+[eE][+-]?\d{3})/;

/** Parses `text`. Throws [[JsonError]] where it is not JSON. */
export function parseJson(text: string): Json {
  try {
    return RISKY.test(text) ? new Parser(text).document() : (JSON.parse(text) as Json);
  } catch (error) {
    throw error instanceof JsonError ? error : new JsonError((error as Error).message);
  }
}

/** Parses `text` if it is a JSON object or array; `undefined` for any other text. */
export function parseStructured(text: string): Json[] | JsonObject | undefined {
  const first = text.trimStart()[0];
  if (first !== "{" && first !== "[") return undefined;
  try {
    return parseJson(text) as Json[] | JsonObject;
  } catch {
    return undefined;
  }
}

/** The JSON text of `value`, with `indent` spaces a level; the inverse of [[parseJson]]. */
export function stringify(value: Json, indent = 0): string {
  const raw: string[] = [];
  // A replacer cannot emit a bare number text, so it emits a marker that no other string can be.
  const marker = `\u0000${Math.random().toString(36).slice(2)}:`;
  const text = JSON.stringify(
    value,
    (_key, item: unknown) => (item instanceof RawNumber ? `${marker}${raw.push(item.text) - 1}` : item),
    indent,
  );
  if (raw.length === 0) return text;
  const quoted = JSON.stringify(marker).slice(1, -1).replace(/\\/g, "\\\\");
  return text.replace(new RegExp(`"${quoted}(\\d+)"`, "g"), (_all, index: string) => raw[Number(index)] ?? "null");
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const SPACE = /[ \t\n\r]*/y;

interface Open {
  readonly container: Json[] | JsonObject;
  key: string | undefined;
}

/** Iterative, so that no depth overflows the stack. */
class Parser {
  private at = 0;
  private readonly text: string;
  private readonly open: Open[] = [];

  constructor(text: string) {
    this.text = text;
  }

  document(): Json {
    let value = this.begin();
    for (;;) {
      const top = this.open.at(-1);
      if (top === undefined) break;
      if (value !== undefined) this.put(top, value);
      value = this.next(top, value !== undefined);
    }
    this.space();
    if (this.at < this.text.length || value === undefined) throw this.unexpected();
    return value;
  }

  /** Reads a value; opening a container gives `undefined` and leaves it on the stack. */
  private begin(): Json | undefined {
    this.space();
    const first = this.text[this.at];
    if (first === "{" || first === "[") {
      this.at += 1;
      this.open.push({ container: first === "{" ? {} : [], key: undefined });
      return undefined;
    }
    if (first === '"') return this.string();
    for (const [word, value] of [
      ["true", true],
      ["false", false],
      ["null", null],
    ] as const) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    return this.number();
  }

  /** After a value (or the opening) in `top`: closes it, or reads the next value in it. */
  private next(top: Open, filled: boolean): Json | undefined {
    this.space();
    const close = Array.isArray(top.container) ? "]" : "}";
    if (this.text[this.at] === close) {
      this.at += 1;
      this.open.pop();
      return top.container;
    }
    if (filled) this.expect(",");
    if (!Array.isArray(top.container)) {
      this.space();
      top.key = this.string();
      this.space();
      this.expect(":");
    }
    return this.begin();
  }

  private put(top: Open, value: Json): void {
    if (Array.isArray(top.container)) top.container.push(value);
    else if (top.key === "__proto__") {
      Object.defineProperty(top.container, top.key, { value, enumerable: true, configurable: true, writable: true });
    } else if (top.key !== undefined) top.container[top.key] = value;
  }

  private string(): string {
    if (this.text[this.at] !== '"') throw this.unexpected();
    // By hand: a regular expression would need a stack as deep as the string is long.
    let end = this.at + 1;
    for (let char = this.text[end]; char !== '"'; char = this.text[end]) {
      if (char === undefined) throw new JsonError(`a string that begins at character ${this.at} does not end`);
      end += char === "\\" ? 2 : 1;
    }
    const token = this.text.slice(this.at, end + 1);
    this.at = end + 1;
    return JSON.parse(token) as string;
  }

  private number(): number | RawNumber {
    const token = this.match(NUMBER);
    const value = Number(token);
    return sameNumber(token, value) ? value : new RawNumber(token);
  }

  private match(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const token = pattern.exec(this.text)?.[0];
    if (token === undefined) throw this.unexpected();
    this.at += token.length;
    return token;
  }

  private space(): void {
    this.match(SPACE);
  }

  private expect(char: string): void {
    if (this.text[this.at] !== char) throw this.unexpected();
    this.at += 1;
  }

  private unexpected(): JsonError {
    const what = this.at < this.text.length ? JSON.stringify(this.text[this.at]) : "end of text";
    return new JsonError(`unexpected ${what} at character ${this.at}`);
  }
}

/** Whether the double prints as the same number: sign, digits and exponent, without trailing zeros. */
function sameNumber(text: string, value: number): boolean {
  return Number.isFinite(value) && canonical(text) === canonical(String(value));
}

function canonical(text: string): string {
  const [mantissa = "", exponent = "0"] = text.toLowerCase().split("e");
  const negative = mantissa.startsWith("-");
  const [whole = "", fraction = ""] = mantissa.replace("-", "").split(".");
  const digits = (whole + fraction).replace(/^0+/, "");
  const trimmed = digits.replace(/0+$/, "");
  if (trimmed === "") return "0";
  const scale = Number(exponent) - fraction.length + (digits.length - trimmed.length);
  return `${negative ? "-" : ""}${trimmed}e${scale}`;
}
