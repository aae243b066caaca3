/** WCAG 2.2 AA for every pair of colours that the window uses, in both themes. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const CSS = readFileSync(new URL('../../../renderer/styles.css', import.meta.url), 'utf8');

function theme(selector: string): Record<string, string> {
  const start = CSS.indexOf(`${selector} {`);
  const block = CSS.slice(start, CSS.indexOf('}', start));
  return Object.fromEntries(
    [...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, colour]) => [name, colour]),
  );
}

/** Relative luminance of `#rrggbb`, 0 to 1. */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.040_45 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [darker = 0, lighter = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

const GROUNDS = ['ground', 'surface', 'raised', 'sunken', 'hover'];
const TEXT_PAIRS = [
  ...GROUNDS.flatMap(
    (ground) =>
      [
        ['text', ground],
        ['text-soft', ground],
      ] as const,
  ),
  ...['direct-soft', 'relayed-soft', 'danger-soft', 'idle-soft', 'accent-soft'].map((soft) => ['text', soft] as const),
  ['text-soft', 'danger-soft'],
  ['on-accent', 'accent'],
  ['on-accent', 'accent-hover'],
  ['direct', 'direct-soft'],
  ['relayed', 'relayed-soft'],
  ['danger', 'danger-soft'],
  ['idle', 'idle-soft'],
  ['accent', 'accent-soft'],
  ...['direct', 'relayed', 'danger', 'idle', 'accent'].flatMap(
    (ink) =>
      [
        [ink, 'ground'],
        [ink, 'surface'],
      ] as const,
  ),
] as const;
/** Outlines of inputs, and the focus ring. */
const LINE_PAIRS = GROUNDS.flatMap(
  (ground) =>
    [
      ['accent', ground],
      ['line-strong', ground],
    ] as const,
);

describe.each([
  ['light', theme(':root')],
  ['dark', theme(':root[data-theme="dark"]')],
])('the %s theme', (_name, colours) => {
  it.each(TEXT_PAIRS)('%s is read on %s', (ink, ground) => {
    expect(contrast(colours[ink] ?? '', colours[ground] ?? '')).toBeGreaterThanOrEqual(4.5);
  });

  it.each(LINE_PAIRS)('%s is seen on %s', (line, ground) => {
    expect(contrast(colours[line] ?? '', colours[ground] ?? '')).toBeGreaterThanOrEqual(3);
  });
});

it('measures as WCAG does', () => {
  expect(contrast('#000000', '#ffffff')).toBeCloseTo(21);
  expect(contrast('#777777', '#ffffff')).toBeCloseTo(4.48, 2);
});
