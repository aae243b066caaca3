/** Nicknames, room names and chat come from strangers. They are shown as text nodes only, after this. */

/** Control characters, and those that turn the direction of what follows. Newlines and tabs are the caller's to keep. */
const UNSEEN = /[\p{Cc}\u061C\u200B\u200E\u200F\u2028-\u202E\u2060-\u2064\u2066-\u2069\uFEFF]/gu;
const UNSEEN_BUT_LINES = /(?![\n\t])[\p{Cc}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]/gu;

/** One line, at most `characters` code points; more end in an ellipsis. */
export function plainLine(text: string, characters = 64): string {
  const clean = text.replace(UNSEEN, '').trim();
  const points = [...clean];
  return points.length <= characters ? clean : `${points.slice(0, characters - 1).join('')}…`;
}

/** For a sentence: isolated, so that a name written from right to left does not turn the sentence. */
export const isolated = (text: string, characters = 64): string => `\u2068${plainLine(text, characters)}\u2069`;

/** Several lines, never more than `lines`, and no run of empty ones. */
export function plainLines(text: string, lines = 20): string {
  return text
    .replace(UNSEEN_BUT_LINES, '')
    .replace(/\n{3,}/g, '\n\n')
    .split('\n')
    .slice(0, lines)
    .join('\n');
}
