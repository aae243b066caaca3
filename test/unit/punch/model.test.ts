import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inferPorts, type PortSample, probabilityOf, rangesOf, sizeOf } from '../../../engine/core/nat/ports.ts';
import { PortDraw } from '../../../engine/core/punch/draw.ts';
import { birthdayOdds, mixedOdds, probesFor } from '../../../engine/core/punch/odds.ts';
import { createRandom } from '../../sim/core/random.ts';

/** All but the system ports. */
const ALL_PORTS = 64_512;

function mapped(...externals: number[]): PortSample[] {
  return externals.map((external, i) => ({ local: 40_000 + 17 * i, external }));
}

function bytesOf(seed: string): (length: number) => Uint8Array {
  const random = createRandom(seed);
  return (length) => random.bytes(length);
}

describe('the port model of a NAT', () => {
  it('sees a counter through foreign connections', () => {
    expect(inferPorts(mapped(5_000, 5_001, 5_004, 5_005, 5_009, 5_010, 5_011, 5_012))).toMatchObject({
      kind: 'sequential',
      step: 1,
    });
  });

  it('sees a counter that goes down, by its step', () => {
    expect(inferPorts(mapped(5_000, 4_998, 4_996, 4_990, 4_988, 4_986, 4_984, 4_982))).toMatchObject({
      kind: 'sequential',
      step: -2,
    });
  });

  it('sees a counter although a request was repeated and so came last', () => {
    expect(inferPorts(mapped(5_000, 5_001, 5_030, 5_002, 5_003, 5_031, 5_004, 5_005)).kind).toBe('sequential');
    expect(inferPorts(mapped(5_000, 5_001, 5_800, 5_002, 5_003, 5_004, 5_005, 5_006)).kind).toBe('sequential');
  });

  it('seldom takes a block for a counter', () => {
    const random = createRandom('blocks');
    const blocks = Array.from({ length: 2_000 }, () =>
      inferPorts(mapped(...Array.from({ length: 8 }, () => 20_480 + random.int(0, 511)))),
    );
    expect(blocks.filter(({ kind }) => kind === 'sequential').length).toBeLessThan(40);
  });

  it('sees a counter that wraps', () => {
    expect(inferPorts(mapped(65_532, 65_533, 65_534, 65_535, 1_024, 1_025, 1_026, 1_027)).kind).toBe('sequential');
  });

  it('believes the fresh mappings, not the older ones of one socket, about preservation', () => {
    const fresh = [41_000, 41_003, 41_009].map((port) => ({ local: port, external: port }));
    expect(inferPorts(fresh, [{ local: 51_820, external: 9_123 }]).kind).toBe('preserved');
  });

  it('finds an aligned block and gives it nearly all the weight', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 62 }), fc.string(), (index, seed) => {
        const random = createRandom(seed);
        const ports = Array.from({ length: 11 }, () => index * 1_024 + random.int(0, 1_023));
        const model = inferPorts(mapped(...ports));
        if (model.kind === 'sequential') return;
        expect(model.kind).toBe('block');
        const inside = rangesOf(model).filter(
          (range) => range.high >= index * 1_024 && range.low <= index * 1_024 + 1_023,
        );
        expect(inside).toHaveLength(rangesOf(model).length);
        for (const port of ports) expect(probabilityOf(rangesOf(model), port)).toBeGreaterThan(1 / 4_096);
      }),
      { numRuns: 50 },
    );
  });

  it('is a probability: it sums to one over all ports', () => {
    const model = inferPorts(mapped(33_000, 40_100, 52_000, 60_001, 35_555, 47_111, 39_000, 58_123));
    let sum = 0;
    for (let port = 1; port <= 65_535; port++) sum += probabilityOf(rangesOf(model), port);
    expect(model.kind).toBe('random');
    expect(sum).toBeCloseTo(1, 6);
  });

  it('means anywhere while it is unknown', () => {
    const [range] = rangesOf(inferPorts(mapped(2_000, 9_000)));
    expect(range).toEqual({ low: 1_024, high: 65_535, weight: 1 });
  });
});

describe('drawing ports', () => {
  it('never draws one twice, stays in the ranges, and ends when they are empty', () => {
    const ranges = [
      { low: 2_000, high: 2_063, weight: 0.9 },
      { low: 2_032, high: 2_127, weight: 0.1 },
    ];
    const draw = new PortDraw(ranges, bytesOf('draw'));
    const ports: number[] = [];
    for (let port = draw.next(); port !== null; port = draw.next()) ports.push(port);
    expect(new Set(ports).size).toBe(ports.length);
    expect(ports.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 128 }, (_, i) => 2_000 + i));
  });

  it('goes where the weight is', () => {
    const likely = { low: 1_024, high: 9_999, weight: 0.8 };
    const draw = new PortDraw([likely, { low: 30_000, high: 60_000, weight: 0.2 }], bytesOf('weight'));
    for (let i = 0; i < 1_000; i++) draw.next();
    expect(draw.countIn(likely)).toBeGreaterThan(740);
    expect(draw.countIn(likely)).toBeLessThan(860);
  });
});

describe('the odds of a birthday punch', () => {
  it.each([
    [174, 0.5],
    [256, 0.64],
    [1_024, 0.9835],
    [2_048, 0.9997],
  ])('with 256 sockets and %i probes over all ports is %f', (probes, odds) => {
    expect(birthdayOdds(ALL_PORTS, 256, probes)).toBeCloseTo(odds, odds > 0.99 ? 4 : 2);
  });

  it('is certain once probes and sockets together exceed the ports', () => {
    expect(birthdayOdds(1_024, 64, 961)).toBe(1);
  });

  it('is none without sockets, however many probes there are', () => {
    expect(birthdayOdds(64, 0, 150)).toBe(0);
  });

  it('agrees with what really happens', () => {
    const random = createRandom('birthday');
    const runs = 4_000;
    let hits = 0;
    for (let run = 0; run < runs; run++) {
      const mappings = new Set<number>();
      while (mappings.size < 64) mappings.add(random.int(0, 1_023));
      const draw = new PortDraw([{ low: 1_024, high: 2_047, weight: 1 }], (length) => random.bytes(length));
      let hit = false;
      for (let probe = 0; probe < 16; probe++) hit ||= mappings.has((draw.next() ?? 0) - 1_024);
      if (hit) hits++;
    }
    // Three deviations of a binomial share.
    expect(Math.abs(hits / runs - birthdayOdds(1_024, 64, 16))).toBeLessThan(3 * Math.sqrt(0.25 / runs));
  });

  it('names the fewest probes for odds, and no more than allowed', () => {
    const probes = probesFor(0.5, ALL_PORTS, 256, 2_000);
    expect(birthdayOdds(ALL_PORTS, 256, probes)).toBeGreaterThanOrEqual(0.5);
    expect(birthdayOdds(ALL_PORTS, 256, probes - 1)).toBeLessThan(0.5);
    expect(probesFor(0.9999, ALL_PORTS, 8, 500)).toBe(500);
  });

  it('mixes ranges by their weight', () => {
    const narrow = { low: 1_024, high: 2_047, weight: 0.5 };
    const wide = { low: 1_024, high: 65_535, weight: 0.5 };
    const odds = mixedOdds([narrow, wide], 64, () => 32);
    expect(odds).toBeCloseTo((birthdayOdds(sizeOf(narrow), 64, 32) + birthdayOdds(sizeOf(wide), 64, 32)) / 2, 9);
  });
});
