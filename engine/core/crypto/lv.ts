/** Length-value encoding of draft-irtf-cfrg-cpace-21, section 6.3. */
import { concatBytes } from './bytes.ts';

/** LEB128 of a non-negative whole number. */
function leb128(value: number): Uint8Array {
  const out: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    out.push(rest > 0 ? low | 128 : low);
  } while (rest > 0);
  return Uint8Array.from(out);
}

/** `prepend_len`: the length of `bytes` as LEB128, then the bytes. */
export function prependLen(bytes: Uint8Array): Uint8Array {
  return concatBytes(leb128(bytes.length), bytes);
}

/** `lv_cat`: every part with its length before it. */
export function lvCat(...parts: Uint8Array[]): Uint8Array {
  return concatBytes(...parts.map(prependLen));
}
