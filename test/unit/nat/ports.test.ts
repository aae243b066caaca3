import { describe, expect, it } from 'vitest';
import { inferPorts } from '../../../engine/core/nat/ports.ts';

const fromOne = (...externals: number[]) => externals.map((external) => ({ local: 51_820, external }));

describe('how external ports are drawn', () => {
  it('is preserved where two sockets keep theirs', () => {
    expect(
      inferPorts([
        { local: 51_820, external: 51_820 },
        { local: 40_007, external: 40_007 },
      ]).kind,
    ).toBe('preserved');
  });

  it('is preserved until a conflict, which one of many sockets may meet', () => {
    const kept = (...taken: number[]) =>
      inferPorts(
        Array.from({ length: 8 }, (_, i) => ({
          local: 40_000 + 97 * i,
          external: (taken.includes(i) ? 9_000 : 40_000) + 97 * i,
        })),
      ).kind;
    expect(kept(3)).toBe('preserved');
    expect(kept(3, 5)).not.toBe('preserved');
  });

  it('is unknown by one preserved port, which may be chance', () => {
    expect(inferPorts(fromOne(51_820)).kind).toBe('unknown');
  });

  it('is unknown below six mappings', () => {
    expect(inferPorts(fromOne(1_000, 1_001, 1_002, 1_003, 1_004)).kind).toBe('unknown');
  });

  it('is sequential by six mappings that climb in small steps', () => {
    expect(inferPorts(fromOne(1_000, 1_002, 1_004, 1_010, 1_012, 1_014))).toMatchObject({
      kind: 'sequential',
      step: 2,
    });
  });

  it('is sequential downwards with a negative step', () => {
    expect(inferPorts(fromOne(1_014, 1_013, 1_010, 1_009, 1_008, 1_007))).toMatchObject({
      kind: 'sequential',
      step: -1,
    });
  });

  it('has the step that all have in common, also where others took ports in between each time', () => {
    expect(inferPorts(fromOne(2_000, 2_002, 2_005, 2_009, 2_011, 2_014, 2_018))).toMatchObject({ step: 1 });
    expect(inferPorts(fromOne(2_000, 1_988, 1_980, 1_968, 1_960, 1_948))).toMatchObject({ step: -4 });
  });

  it('is random by six mappings without order', () => {
    expect(inferPorts(fromOne(40_000, 1_200, 61_000, 2_222, 33_333, 9_000))).toMatchObject({
      kind: 'random',
      low: 1_024,
      high: 65_535,
    });
  });
});
