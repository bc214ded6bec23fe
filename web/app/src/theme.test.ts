import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

const css = readFileSync(new URL("./theme.css", import.meta.url), "utf8");

/** A variable's value in the light or the dark theme. */
function colour(name: string, dark: boolean): readonly [number, number, number] {
  const value = new RegExp(`--vscode-${name}: (?:light-dark\\((#\\w{6}), (#\\w{6})\\)|(#\\w{6}));`).exec(css);
  const hex = value?.[3] ?? value?.[dark ? 2 : 1];
  if (hex === undefined) throw new Error(`no plain colour: ${name}`);
  return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)) as unknown as [number, number, number];
}

/** Relative luminance and contrast as WCAG 2.2 defines them. */
function luminance(rgb: readonly number[]): number {
  const [r = 0, g = 0, b = 0] = rgb.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: readonly number[], b: readonly number[]): number {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

const SURFACES = [
  "editor-background",
  "sideBar-background",
  "list-hoverBackground",
  "list-inactiveSelectionBackground",
];
const TEXTS = [
  "foreground",
  "descriptionForeground",
  "errorForeground",
  "textLink-foreground",
  "editorWarning-foreground",
  "debugTokenExpression-name",
  "debugTokenExpression-string",
  "debugTokenExpression-number",
  "debugTokenExpression-boolean",
];
const PAIRS: [string, string][] = [
  ...SURFACES.flatMap((surface) => TEXTS.map((text) => [text, surface] as [string, string])),
  ["list-activeSelectionForeground", "list-activeSelectionBackground"],
  ["descriptionForeground", "list-activeSelectionBackground"],
  ["errorForeground", "list-activeSelectionBackground"],
  ["button-foreground", "button-background"],
  ["button-secondaryForeground", "button-secondaryBackground"],
  ["descriptionForeground", "button-secondaryBackground"],
  ["input-foreground", "input-background"],
  ["input-placeholderForeground", "input-background"],
  ["badge-foreground", "badge-background"],
];

describe.each([
  ["light", false],
  ["dark", true],
] as const)("%s", (_name, dark) => {
  test.each(PAIRS)("%s on %s can be read (AA)", (text, surface) => {
    expect(contrast(colour(text, dark), colour(surface, dark))).toBeGreaterThanOrEqual(4.5);
  });

  const marks = ["red", "orange", "yellow", "green", "blue", "purple", "foreground"];
  test.each(marks)("charts-%s can be seen on the page", (mark) => {
    expect(contrast(colour(`charts-${mark}`, dark), colour("editor-background", dark))).toBeGreaterThanOrEqual(3);
  });
});

test("the style sheets use the editor's colours, and no other", () => {
  const folder = new URL("../../packages/ui/src/css/", import.meta.url);
  for (const sheet of readdirSync(folder)) {
    const text = readFileSync(new URL(sheet, folder), "utf8");
    // Black, for masks and for the shade behind a dialog, is no colour of the theme.
    expect(text.replace(/rgb\(0 0 0[^)]*\)/g, "").match(/#[0-9a-f]{3,8}\b|rgba?\(|hsl\(/gi), sheet).toBeNull();
    for (const [, name = ""] of text.matchAll(/var\((--vscode-[\w-]+)/g))
      expect(css, `${sheet}: ${name}`).toContain(`${name}:`);
  }
});
