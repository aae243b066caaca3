/** How a room's name and its password are compared: two people who type the same must get the same bytes. */

/** NFKC, trimmed, inner white space collapsed to one space, lower-cased without a locale. */
export function normaliseName(name: string): string {
  return name.normalize('NFKC').replace(/\s+/gu, ' ').trim().toLowerCase().normalize('NFKC');
}

/** A password file ends in a newline that nobody typed: takes one away, LF or CRLF. */
export function stripTrailingNewline(text: string): string {
  return text.replace(/\r?\n$/u, '');
}

/**
 * The OpaqueString profile (RFC 8265 section 4.2): non-ASCII spaces become U+0020, then NFC, then FreeformClass
 * (RFC 8264 section 4.3). Null for what the profile refuses: empty, controls, unassigned, old Hangul jamo, ignorables.
 */
export function opaqueString(password: string): string | null {
  const mapped = password.replace(/\p{Zs}/gu, ' ').normalize('NFC');
  return mapped !== '' && [...mapped].every(isFreeform) ? mapped : null;
}

/** RFC 8264 section 8 for FreeformClass: what is refused first, then the categories that are let in. */
function isFreeform(letter: string): boolean {
  const point = letter.codePointAt(0) ?? 0;
  if (REFUSED.some(([first, last]) => point >= first && point <= last)) return false;
  if (/[\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}]/u.test(letter)) return false;
  return /[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]/u.test(letter);
}

/**
 * Exceptions (section 9.6) and old Hangul jamo (9.9). The joiners U+200C and U+200D, which are contextual there, are
 * default ignorable and refused with the other ignorables (9.13).
 */
const REFUSED: [number, number][] = [
  [0x0640, 0x0640],
  [0x07fa, 0x07fa],
  [0x302e, 0x302f],
  [0x3031, 0x3035],
  [0x303b, 0x303b],
  [0x1100, 0x11ff],
  [0xa960, 0xa97c],
  [0xd7b0, 0xd7c6],
  [0xd7cb, 0xd7fb],
];
