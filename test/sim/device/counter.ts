/** Counters below 2^53 as eight little-endian bytes, without the cost of a BigInt. */

export function writeCounter(bytes: Uint8Array, offset: number, counter: number): void {
  for (let i = 0, rest = counter; i < 8; i++, rest = Math.floor(rest / 256)) bytes[offset + i] = rest % 256;
}

/** One of 2^53 or more loses its last bits. */
export function readCounter(bytes: Uint8Array, offset: number): number {
  let counter = 0;
  for (let i = 7; i >= 0; i--) counter = counter * 256 + (bytes[offset + i] ?? 0);
  return counter;
}
