/**
 * Look-alike nicknames, after the skeleton of UTS #39 section 4: two names whose skeletons are equal look alike. The
 * full table of the standard is 6,000 rows for every script; this keeps the Latin look-alikes that people meet (Cyrillic,
 * Greek, Armenian, digits, and pairs of letters), from its confusables.txt.
 */

/** Rows: the letter it looks like, then those that look so (all lower case, after NFKD without marks). */
const ROWS: [string, string][] = [
  ['a', 'аαɑ'],
  ['b', 'ьЬƅв'],
  ['c', 'сϲᴄ'],
  ['d', 'ԁɗ'],
  ['e', 'еҽε'],
  ['g', 'ɡց'],
  ['h', 'һհн'],
  ['i', 'іıιɩӏ1|lľ!'],
  ['j', 'јϳ'],
  ['k', 'кκ'],
  ['m', 'м'],
  ['n', 'ոռη'],
  ['o', 'оοσօ0'],
  ['p', 'рρ'],
  ['q', 'ԛգ'],
  ['r', 'гᴦ'],
  ['s', 'ѕꜱ5$'],
  ['t', 'тτ'],
  ['u', 'υսᴜ'],
  ['v', 'νѵᴠ'],
  ['w', 'ԝաѡωᴡ'],
  ['x', 'хχ×'],
  ['y', 'уγүʏ'],
  ['z', 'ᴢ'],
];
const LOOKS_LIKE = new Map(ROWS.flatMap(([plain, letters]) => [...letters].map((letter) => [letter, plain] as const)));
/** Pairs of letters that read as one at a glance. */
const PAIRS: [RegExp, string][] = [
  [/rn/g, 'm'],
  [/vv/g, 'w'],
  [/ci/g, 'd'],
];

/** Equal for names that look alike; never shown. */
export function skeleton(name: string): string {
  const bare = name
    .normalize('NFKD')
    .replace(/[\p{M}\p{Cf}\s_.-]/gu, '')
    .toLowerCase();
  const letters = [...bare].map((letter) => LOOKS_LIKE.get(letter) ?? letter).join('');
  return PAIRS.reduce((text, [pair, one]) => text.replace(pair, one), letters);
}
