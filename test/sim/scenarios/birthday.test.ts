/**
 * Guessing among random ports against its theory. Everything is counted on the wire between the two homes, nothing is asked of
 * the engine: which ports the hard side opened towards the easy one, and which ones the easy one guessed.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { birthdayOdds } from '../../../engine/core/punch/odds.ts';
import { site } from '../profiles.ts';
import { seeds } from '../scenario.ts';
import { createWorld, type World } from '../world.ts';

const LINK = { delayMs: 10, jitterMs: 2 };
/** From which the hard side's router draws. */
const PORTS = 64_512;
const RUNS = 100;

/** What passed until a port was both opened and guessed. */
interface Meeting {
  opened: number;
  guesses: number[];
  /** From then until both sides used that way. */
  usedAfterMs: number;
}

async function meet(seed: string): Promise<Meeting> {
  const sites = [site('port-restricted', { link: LINK }), site('symmetric-random', { link: LINK })];
  const world = createWorld({ seed: `birthday ${seed}`, sites });
  try {
    const wire = new Wire(world);
    await world.joinAll(200);
    await world.until('an opened port is guessed', () => wire.met !== null, 60_000);
    const { at, ...met } = wire.met!;
    await world.until('a direct path', () => world.allDirect(), 60_000);
    return { ...met, usedAfterMs: world.timeline.now() - at };
  } finally {
    world.close();
  }
}

/** Listens between the homes, and to what servers see of the hard side: those of its ports are known, and no guess. */
class Wire {
  met: { opened: number; guesses: number[]; at: number } | null = null;
  readonly #known = new Set<number>();
  readonly #opened = new Set<number>();
  readonly #guesses: number[] = [];

  constructor(world: World) {
    const [easy, hard] = world.sites.map(({ nats }) => nats[0]?.addresses[0]);
    world.internet.lose = ({ kind, src, dst }) => {
      if (kind !== 'udp' || this.met !== null) return false;
      if (src.ip === hard && dst.ip === easy) this.#opened.add(src.port);
      else if (src.ip === hard) this.#known.add(src.port);
      else if (src.ip === easy && dst.ip === hard && !this.#known.has(dst.port)) this.#guesses.push(dst.port);
      if (this.#guesses.some((port) => this.#opened.has(port))) {
        this.met = { opened: this.#opened.size, guesses: this.#guesses, at: world.timeline.now() };
      }
      return false;
    };
  }
}

/** Half of the openings never reach the easy side (their TTL): a guess that came before such a one waits until it is repeated. */
const SOON_MS = 300;
const REPEATED_MS = 6_000;

describe('a birthday punch over all ports', () => {
  const meetings: Meeting[] = [];

  beforeAll(async () => {
    for (const seed of seeds(RUNS)) meetings.push(await meet(seed));
  }, 300_000);

  test('guesses no port twice', () => {
    for (const { guesses } of meetings) expect(new Set(guesses).size).toBe(guesses.length);
  });

  test('meets as soon as the theory says: the distribution', () => {
    // By the probability integral transform the odds at the meeting are uniform, and their exposures have the mean 1.
    const odds = meetings
      .map(({ opened, guesses }) => birthdayOdds(PORTS, opened, guesses.length))
      .toSorted((a, b) => a - b);
    const distance = Math.max(...odds.map((value, i) => Math.abs(value - (i + 0.5) / odds.length)));
    const exposure = odds.reduce((sum, value) => sum - Math.log(1 - value), 0) / odds.length;
    // One in a thousand each: Kolmogorov-Smirnov, and a mean of exponential values.
    expect(distance).toBeLessThan(1.95 / Math.sqrt(odds.length));
    expect(Math.abs(exposure - 1)).toBeLessThan(3.3 / Math.sqrt(odds.length));
  });

  test('uses what was met, mostly at once', () => {
    const waits = meetings.map(({ usedAfterMs }) => usedAfterMs);
    expect(Math.max(...waits)).toBeLessThan(REPEATED_MS);
    expect(waits.filter((ms) => ms < SOON_MS).length).toBeGreaterThan(0.75 * waits.length - 1);
  });
});
