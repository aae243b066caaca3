import { describe, expect, it } from 'vitest';
import { Budget } from '../../../engine/core/budget.ts';
import { inferPorts } from '../../../engine/core/nat/ports.ts';
import { Attempt } from '../../../engine/core/punch/attempt.ts';
import type { PunchAction, PunchEvent } from '../../../engine/core/punch/contract.ts';
import { PortDraw } from '../../../engine/core/punch/draw.ts';
import {
  type LongShotSide,
  longShotOdds,
  longShotSeconds,
  longShotSide,
} from '../../../engine/core/punch/long-shot.ts';
import { chooseStrategy, isLongShot } from '../../../engine/core/punch/plan.ts';
import type { NatReport } from '../../../protocol/nat.ts';
import { LONG_SHOT_MAPPINGS } from '../../../protocol/punch.ts';
import { createRandom, type Random } from '../../sim/core/random.ts';
import { COUNTER, EASY, RANDOM } from './client.ts';

const ID = '00000000000000aa';
const BLOCK_A = { low: 10_240, high: 10_751, weight: 1 };
const BLOCK_B = { low: 20_480, high: 20_991, weight: 1 };
const SOCKETS = 426;
const ATTEMPTS = 200;
/** Mappings of a NAT's discovery. */
const SAMPLES = 12;

function blockNat({ low, high }: { low: number; high: number }): NatReport {
  return { ...RANDOM, ports: { kind: 'block', low, high } };
}

/** One side's attempt, its router with a port for each socket, and everything that left it. */
class Side {
  readonly attempt: Attempt;
  readonly pings: { socket: number; port: number; at: number }[] = [];
  /** External port of each socket. */
  readonly ports = new Map<number, number>();
  readonly outbox: Extract<PunchAction, { type: 'send' }>['message'][] = [];
  outcome: string | null = null;
  /** Pings that the pace did not allow. */
  overdrawn = 0;
  readonly budget = new Budget();
  readonly #block: number[];
  #next = 2;

  constructor(role: 'leader' | 'follower', random: Random, sockets = SOCKETS) {
    const own = role === 'leader' ? BLOCK_A : BLOCK_B;
    this.#block = shuffled(own, random);
    this.attempt = new Attempt({
      role,
      plan: { id: ID, strategy: 'long-shot', sockets, probes: sockets, ranges: [BLOCK_A] },
      elsewhere: [],
      remote: { ip: '198.51.100.7', port: 7_000 },
      ports: { kind: 'block' },
      lenient: false,
      standing: 0,
      followerRanges: [BLOCK_B],
      dependent: true,
      failures: 0,
      sparing: false,
      reused: [],
      budget: this.budget,
      random: (length) => random.bytes(length),
    });
  }

  handle(now: number, event: PunchEvent): void {
    for (const action of this.attempt.handle(now, event)) this.act(now, action);
  }

  act(now: number, action: PunchAction): void {
    if (action.type === 'send') this.outbox.push(action.message);
    if (action.type === 'end') this.outcome = action.outcome;
    if (action.type === 'open') {
      const sockets = Array.from({ length: action.count }, () => ({ id: this.#next++, port: 0 }));
      this.budget.lend(sockets.map(({ id }) => id));
      this.handle(now, { type: 'opened', sockets });
    }
    if (action.type === 'ping') {
      if (!this.budget.take(now)) this.overdrawn += 1;
      this.budget.sent(now, action.socket, action.remote, true);
      if (!this.ports.has(action.socket)) this.ports.set(action.socket, this.#block.pop() as number);
      this.pings.push({ socket: action.socket, port: action.remote.port, at: now });
    }
  }
}

function shuffled({ low, high }: { low: number; high: number }, random: Random): number[] {
  const ports = Array.from({ length: high - low + 1 }, (_, i) => low + i);
  for (let i = ports.length - 1; i > 0; i--) {
    const j = random.int(0, i);
    [ports[i], ports[j]] = [ports[j] as number, ports[i] as number];
  }
  return ports;
}

/** Until both have opened all, or to the end. */
function play(seed: string, until: 'open' | 'end' = 'end'): [Side, Side] {
  const random = createRandom(seed);
  const [a, b] = [new Side('leader', random.stream('a')), new Side('follower', random.stream('b'))];
  for (const side of [a, b]) side.handle(0, { type: 'begin' });
  for (let now = 0; now < 30_000 && a.outcome === null; now += 20) {
    if (until === 'open' && [a, b].every(({ ports }) => ports.size === SOCKETS)) break;
    for (const side of [a, b]) side.handle(now, { type: 'tick' });
    for (const message of a.outbox.splice(0)) b.handle(now, { type: 'message', message });
    for (const message of b.outbox.splice(0)) a.handle(now, { type: 'message', message });
  }
  return [a, b];
}

/** Mappings here that guess one there that guesses them. */
function meetings(a: Side, b: Side): number {
  const theirs = new Set(b.pings.map(({ socket, port }) => `${b.ports.get(socket)} ${port}`));
  return a.pings.filter(({ socket, port }) => theirs.has(`${port} ${a.ports.get(socket)}`)).length;
}

/** A block of so many ports somewhere, and what a dozen of its ports say of it. */
function inferredBlock(
  size: number,
  aligned: boolean,
  random: Random,
): { low: number; high: number; side: LongShotSide } {
  const low = aligned
    ? size * random.int(Math.ceil(1_024 / size), 65_536 / size - 1)
    : random.int(1_024, 65_536 - size);
  const block = { low, high: low + size - 1 };
  const samples = shuffled(block, random).slice(0, SAMPLES);
  const ports = inferPorts(samples.map((external, i) => ({ local: 40_000 + i, external })));
  return { ...block, side: longShotSide({ ...RANDOM, ports }) };
}

/** How many of one side's guesses lie in the other's block, as a share of it. */
function covered(side: LongShotSide, other: ReturnType<typeof inferredBlock>, random: Random): number {
  const draw = new PortDraw(other.side.ranges, (length) => random.bytes(length));
  const guesses = Array.from({ length: side.mappings }, () => draw.next() ?? 0);
  return guesses.filter((port) => port >= other.low && port <= other.high).length / (other.high - other.low + 1);
}

describe('the odds of a long shot', () => {
  it('are one half for two blocks of 512 with 426 mappings each, and nearly none over all ports', () => {
    const sides = [blockNat(BLOCK_A), blockNat(BLOCK_B)].map(longShotSide);
    expect(sides.map(({ mappings }) => mappings)).toEqual([SOCKETS, SOCKETS]);
    expect(longShotOdds(sides[0]!, sides[1]!)).toBeCloseTo(1 - Math.exp(-((SOCKETS / 512) ** 2)), 6);
    const full = longShotSide(RANDOM);
    expect(full.mappings).toBe(LONG_SHOT_MAPPINGS);
    expect(longShotOdds(full, full)).toBeCloseTo(1 - Math.exp(-((LONG_SHOT_MAPPINGS / 64_512) ** 2)), 8);
    expect(longShotSeconds(full, full)).toBeLessThanOrEqual(10);
  });

  it('weigh what the models leave open', () => {
    const sure = { mappings: SOCKETS, ranges: [BLOCK_A] };
    const unsure = {
      mappings: SOCKETS,
      ranges: [
        { ...BLOCK_B, weight: 0.5 },
        { low: 1_024, high: 65_535, weight: 0.5 },
      ],
    };
    expect(longShotOdds(sure, unsure)).toBeLessThan(longShotOdds(sure, { mappings: SOCKETS, ranges: [BLOCK_B] }) / 2);
    expect(longShotOdds(sure, unsure)).toBeCloseTo(longShotOdds(unsure, sure), 12);
  });

  it('are what happens: half of all attempts meet, and as often as a Poisson count of that mean', () => {
    const counts = Array.from({ length: ATTEMPTS }, (_, seed) => meetings(...play(`odds ${seed}`, 'open')));
    const mean = (SOCKETS / 512) ** 2;
    const near = (value: number, expected: number, variance: number) =>
      expect(Math.abs(value - expected)).toBeLessThan(3.5 * Math.sqrt(variance / ATTEMPTS));
    near(counts.filter((count) => count > 0).length / ATTEMPTS, 1 - Math.exp(-mean), 0.25);
    near(counts.reduce((sum, count) => sum + count, 0) / ATTEMPTS, mean, mean);
  });
});

describe('the odds that are shown, of blocks that are only inferred,', () => {
  it.each([
    [512, true, 0.01],
    [1_024, true, 0.01],
    // Where such a block begins and ends nothing tells exactly.
    [600, false, 0.03],
  ])('are those of the true ones: %i ports, aligned %s', (size, aligned, tolerance) => {
    const random = createRandom(`inferred ${size}`);
    let shown = 0;
    let real = 0;
    for (let run = 0; run < ATTEMPTS; run++) {
      const [a, b] = [inferredBlock(size, aligned, random), inferredBlock(size, aligned, random)];
      shown += longShotOdds(a.side, b.side) / ATTEMPTS;
      real += (1 - Math.exp(-covered(a.side, b, random) * covered(b.side, a, random))) / ATTEMPTS;
    }
    expect(Math.abs(shown - real)).toBeLessThan(tolerance);
  });
});

describe('a long shot', () => {
  it('is for two sides that draw and filter by port, and for no pair that has a plan', () => {
    expect(isLongShot(RANDOM, blockNat(BLOCK_A), false)).toBe(true);
    expect(chooseStrategy(RANDOM, blockNat(BLOCK_A), true)).toBeNull();
    for (const other of [EASY, COUNTER, { ...RANDOM, filtering: 'endpoint-independent' as const }])
      expect(isLongShot(RANDOM, other, false)).toBe(false);
    // Where the plan for one that seems to count has failed, the label may be wrong.
    expect(isLongShot(RANDOM, COUNTER, true)).toBe(true);
    expect(isLongShot(RANDOM, EASY, true)).toBe(false);
  });

  it('sends twice from every socket to its one port, within the pace, and ends by itself', () => {
    const [a, b] = play('once');
    expect(a.outcome).toBe('exhausted');
    expect(b.outcome).toBe('exhausted');
    for (const side of [a, b]) {
      const targets = new Map<number, typeof side.pings>();
      for (const ping of side.pings) targets.set(ping.socket, [...(targets.get(ping.socket) ?? []), ping]);
      expect(side.overdrawn).toBe(0);
      expect(targets.size).toBe(SOCKETS);
      for (const pings of targets.values()) {
        expect(pings).toHaveLength(2);
        expect(new Set(pings.map(({ port }) => port)).size).toBe(1);
      }
      // Fewer guesses than ports: none is repeated.
      expect(new Set([...targets.values()].map(([ping]) => ping?.port)).size).toBe(SOCKETS);
    }
  });

  it('guesses ports anew when all had their turn, each time from another socket', () => {
    const random = createRandom('small');
    const side = new Side('leader', random, 40);
    const small = new Attempt({
      role: 'leader',
      plan: { id: ID, strategy: 'long-shot', sockets: 40, probes: 40, ranges: [BLOCK_A] },
      elsewhere: [],
      remote: { ip: '198.51.100.7', port: 7_000 },
      ports: { kind: 'block' },
      lenient: false,
      standing: 0,
      followerRanges: [{ low: 3_000, high: 3_015, weight: 1 }],
      dependent: true,
      failures: 0,
      sparing: false,
      reused: [],
      budget: side.budget,
      random: (length) => random.bytes(length),
    });
    const pings: string[] = [];
    let next = 2;
    const run = (now: number, event: PunchEvent) => {
      for (const action of small.handle(now, event)) {
        if (action.type === 'ping') pings.push(`${action.socket} ${action.remote.port}`);
        if (action.type === 'open')
          run(now, { type: 'opened', sockets: Array.from({ length: action.count }, () => ({ id: next++, port: 0 })) });
      }
    };
    run(0, { type: 'begin' });
    for (let now = 20; now < 1_000; now += 20) run(now, { type: 'tick' });
    expect(pings).toHaveLength(40);
    expect(new Set(pings).size).toBe(40);
  });

  it('is stopped at any time, and says so to the other', () => {
    const random = createRandom('stop');
    const side = new Side('leader', random);
    side.handle(0, { type: 'begin' });
    for (const action of side.attempt.stop('stopped')) side.act(0, action);
    expect(side.outcome).toBe('stopped');
    expect(side.outbox.at(-1)).toEqual({ t: 'punch-end', id: ID });
    const before = side.pings.length;
    side.handle(1_000, { type: 'tick' });
    expect(side.pings).toHaveLength(before);
  });
});

describe('the account of a long shot', () => {
  const remote = (port: number) => ({ ip: '203.0.113.1', port });

  it('is its own: nothing else has less, and its sockets have no more', () => {
    const budget = new Budget();
    const [mappings, sessions] = [budget.mappingsLeft(0), budget.sessionsLeft(0)];
    const sockets = Array.from({ length: LONG_SHOT_MAPPINGS }, (_, i) => i + 2);
    budget.lend(sockets);
    for (const socket of sockets) budget.sent(0, socket, remote(socket), true);
    expect(budget.longShotLeft(0)).toBe(0);
    expect(budget.admits(0, 2, remote(9_999), true)).toBe(false);
    expect([budget.mappingsLeft(0), budget.sessionsLeft(0)]).toEqual([mappings, sessions]);
  });

  it('counts what was closed until the router has forgotten it', () => {
    const budget = new Budget();
    budget.lend([2]);
    budget.sent(0, 2, remote(1), true);
    budget.closed([2]);
    expect(budget.longShotLeft(60_000)).toBe(LONG_SHOT_MAPPINGS - 1);
    expect(budget.longShotLeft(125_000)).toBe(LONG_SHOT_MAPPINGS);
    const before = budget.mappingsLeft(60_000);
    budget.sent(60_000, 2, remote(2), true);
    expect(budget.mappingsLeft(60_000)).toBe(before - 1);
  });
});
