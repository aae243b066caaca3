/** Ports to probe, drawn without replacement: no port twice, and each range in proportion to its weight. */
import type { PortRange } from '../../../protocol/nat.ts';
import { sizeOf } from '../nat/ports.ts';

/** Draws that may hit a port already drawn before the range is walked instead. */
const TRIES = 16;

export class PortDraw {
  readonly #ranges: readonly PortRange[];
  readonly #random: (length: number) => Uint8Array;
  readonly #drawn = new Set<number>();
  /** Drawn ports in each range; one port may count in several. */
  readonly #counts: number[];

  /** `random` gives bytes. Ranges may overlap. */
  constructor(ranges: readonly PortRange[], random: (length: number) => Uint8Array) {
    this.#ranges = ranges;
    this.#random = random;
    this.#counts = ranges.map(() => 0);
  }

  get count(): number {
    return this.#drawn.size;
  }

  /** Ports drawn so far that lie in one of the ranges it was made of. */
  countIn(range: PortRange): number {
    return this.#counts[this.#ranges.indexOf(range)] ?? 0;
  }

  /** Null when every port of every range was drawn. */
  next(): number | null {
    const open = this.#ranges.filter((range) => this.countIn(range) < sizeOf(range));
    const range = pickByWeight(open, this.#below(1 << 24) / (1 << 24));
    if (range === null) return null;
    const port = this.#fresh(range);
    this.#drawn.add(port);
    for (const [i, { low, high }] of this.#ranges.entries()) {
      if (low <= port && port <= high) this.#counts[i] = (this.#counts[i] ?? 0) + 1;
    }
    return port;
  }

  #fresh(range: PortRange): number {
    const size = sizeOf(range);
    let port = range.low + this.#below(size);
    for (let i = 0; i < TRIES && this.#drawn.has(port); i++) port = range.low + this.#below(size);
    while (this.#drawn.has(port)) port = port === range.high ? range.low : port + 1;
    return port;
  }

  /** Uniform enough below 2^24: the bias of 32 random bits is under 1 in 256. */
  #below(limit: number): number {
    const bytes = this.#random(4);
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) % limit;
  }
}

function pickByWeight(ranges: readonly PortRange[], share: number): PortRange | null {
  let left = share * ranges.reduce((sum, range) => sum + range.weight, 0);
  for (const range of ranges) {
    left -= range.weight;
    if (left < 0) return range;
  }
  return ranges.at(-1) ?? null;
}
