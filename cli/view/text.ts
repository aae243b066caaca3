/** Columns that line up in every script. Slow to load (20 ms of Unicode tables): only for who draws a table. */
import stringWidth from 'string-width';

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** Exactly `columns` wide: cut with an ellipsis, or padded on the right (left with `align` right). */
export function fit(text: string, columns: number, align: 'left' | 'right' = 'left'): string {
  const cut = stringWidth(text) <= columns ? text : shorten(text, columns);
  const space = ' '.repeat(Math.max(0, columns - stringWidth(cut)));
  return align === 'right' ? space + cut : cut + space;
}

/** At most `columns` wide, cut between graphemes. */
export function shorten(text: string, columns: number): string {
  if (stringWidth(text) <= columns) return text;
  if (columns < 1) return '';
  let out = '';
  let width = 0;
  for (const { segment } of graphemes.segment(text)) {
    const next = width + stringWidth(segment);
    if (next > columns - 1) break;
    out += segment;
    width = next;
  }
  return `${out}\u2026`;
}

/** How many terminal columns it takes. */
export function columnsOf(text: string): number {
  return stringWidth(text);
}
