/**
 * Seeded randomness: xoshiro128** (Blackman and Vigna) seeded by splitmix32. Each component draws from its own stream,
 * so that one more draw in one place does not change the luck of another.
 */
export interface Random {
  /** Uniform in [0, 2^32). */
  u32(): number;
  /** Uniform in [0, 1). */
  float(): number;
  /** Uniform over the integers low to high, both included. */
  int(low: number, high: number): number;
  chance(probability: number): boolean;
  bytes(length: number): Uint8Array;
  /** Number of arrivals of a Poisson process with this mean. */
  poisson(mean: number): number;
  pick<T>(items: readonly T[]): T;
  /** An independent stream, the same for the same label. */
  stream(label: string): Random;
}

export function createRandom(seed: number | string): Random {
  const key = String(seed);
  const state = new Uint32Array(4);
  let mix = hash32(key, 0x9e3779b9);
  for (let i = 0; i < 4; i++) {
    mix = (mix + 0x9e3779b9) >>> 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    state[i] = z ^ (z >>> 15);
  }
  if (state.every((word) => word === 0)) state[0] = 1;

  function u32(): number {
    const [s0 = 0, s1 = 0, s2 = 0, s3 = 0] = state;
    const result = Math.imul(rotl(Math.imul(s1, 5), 7), 9) >>> 0;
    const t = s1 << 9;
    const n2 = s2 ^ s0;
    const n3 = s3 ^ s1;
    state[1] = s1 ^ n2;
    state[0] = s0 ^ n3;
    state[2] = n2 ^ t;
    state[3] = rotl(n3, 11);
    return result;
  }
  const float = () => u32() / 0x1_0000_0000;
  const int = (low: number, high: number) => low + Math.floor(float() * (high - low + 1));

  return {
    u32,
    float,
    int,
    chance: (probability) => probability > 0 && float() < probability,
    bytes(length) {
      const out = new Uint8Array(length);
      for (let i = 0; i < length; i++) out[i] = u32() >>> 24;
      return out;
    },
    poisson(mean) {
      let count = 0;
      // Knuth's product, in slices that keep exp() away from zero.
      for (let left = mean; left > 0; left -= 30) {
        const floor = Math.exp(-Math.min(left, 30));
        for (let p = float(); p > floor; p *= float()) count++;
      }
      return count;
    },
    pick<T>(items: readonly T[]): T {
      if (items.length === 0) throw new RangeError('nothing to pick from');
      return items[int(0, items.length - 1)] as T;
    },
    stream: (label) => createRandom(`${key}/${label}`),
  };
}

function rotl(x: number, k: number): number {
  return (x << k) | (x >>> (32 - k));
}

/** FNV-1a with a final avalanche. */
export function hash32(text: string, basis: number): number {
  let h = basis >>> 0;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

type Part = Uint8Array | string | number;

/** Eight bytes that depend on every byte of every part: stands for a MAC or a key derivation where nobody attacks. */
export function digest8(...parts: Part[]): Uint8Array {
  const out = new Uint8Array(8);
  digestInto(out, 0, parts);
  return out;
}

/** The two halves of a digest in the making; one, because nothing here is interrupted. */
let a = 0;
let b = 0;

function mixByte(byte: number): void {
  a = Math.imul(a ^ byte, 0x01000193);
  b = Math.imul(b ^ byte, 0x5bd1e995);
  b ^= b >>> 13;
}

function mixPart(part: Part): void {
  if (typeof part === 'number') {
    for (let n = part, i = 0; i < 8; i++, n = Math.floor(n / 256)) mixByte(n & 255);
    return;
  }
  if (typeof part === 'string') for (let i = 0; i < part.length; i++) mixByte(part.charCodeAt(i) & 255);
  else mixBytes(part);
  mixByte(part.length & 255);
}

/** Most bytes come by here. */
function mixBytes(bytes: Uint8Array): void {
  let [x, y] = [a, b];
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    x = Math.imul(x ^ byte, 0x01000193);
    y = Math.imul(y ^ byte, 0x5bd1e995);
    y ^= y >>> 13;
  }
  a = x;
  b = y;
}

/** Up to eight bytes at `offset`. */
function digestInto(out: Uint8Array, offset: number, parts: readonly Part[], first?: number): void {
  a = 0x811c9dc5;
  b = 0x9747b28c;
  if (first !== undefined) mixPart(first);
  for (const part of parts) mixPart(part);
  const high = avalanche(a ^ Math.imul(b, 0x9e3779b1));
  const low = avalanche(b ^ Math.imul(a, 0x85ebca77));
  for (let i = 0; i < 8 && offset + i < out.length; i++) {
    out[offset + i] = (i < 4 ? high : low) >>> (24 - 8 * (i & 3));
  }
}

function avalanche(x: number): number {
  let h = x;
  h = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
  return (h ^ (h >>> 15)) >>> 0;
}

/** `length` bytes from `digest8` in counter mode. */
export function digest(length: number, ...parts: Part[]): Uint8Array {
  const out = new Uint8Array(length);
  for (let offset = 0, i = 0; offset < length; offset += 8, i++) digestInto(out, offset, parts, i);
  return out;
}
