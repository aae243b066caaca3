/**
 * A nickname comes from a stranger: control characters could move the cursor, and bidirectional ones could reorder the
 * line. Each becomes a visible mark.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu, '\u00b7');
}
