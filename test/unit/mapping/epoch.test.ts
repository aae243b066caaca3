import { describe, expect, it } from 'vitest';
import { natPmpEpoch, pcpEpoch } from '../../../engine/core/mapping/epoch.ts';

describe.for([
  ['NAT-PMP (RFC 6886, 3.6)', natPmpEpoch],
  ['PCP (RFC 6887, 8.5)', pcpEpoch],
] as const)('the epoch of %s', ([, create]) => {
  const after = (seconds: number, epoch: number) => {
    const watch = create();
    expect(watch.lost(5_000, 1_000)).toBe(false);
    return watch.lost(5_000 + seconds * 1_000, epoch);
  };

  it('may start anywhere, and run like ours', () => {
    expect(create().lost(0, 0)).toBe(false);
    expect(after(3_600, 4_600)).toBe(false);
  });

  it('may lag by two seconds, or run a sixteenth slow', () => {
    expect(after(10, 1_008)).toBe(false);
    expect(after(3_600, 1_000 + 3_600 * (15.1 / 16))).toBe(false);
  });

  it('that begins anew has lost the mappings', () => {
    expect(after(3_600, 0)).toBe(true);
    expect(after(3_600, 60)).toBe(true);
  });

  it('is compared with the last one, also after a loss', () => {
    const watch = create();
    watch.lost(0, 1_000);
    expect(watch.lost(1_000, 5)).toBe(true);
    expect(watch.lost(11_000, 15)).toBe(false);
  });
});

describe('the two differ in that', () => {
  it('PCP takes a clock that jumped ahead for another gateway’s', () => {
    const [pcp, natPmp] = [pcpEpoch(), natPmpEpoch()];
    for (const watch of [pcp, natPmp]) watch.lost(0, 100);
    expect(pcp.lost(10_000, 100_000)).toBe(true);
    expect(natPmp.lost(10_000, 100_000)).toBe(false);
  });

  it('PCP takes a step of two seconds back for a loss at once', () => {
    const watch = pcpEpoch();
    watch.lost(0, 100);
    expect(watch.lost(10, 99)).toBe(false);
    expect(watch.lost(20, 97)).toBe(true);
  });
});
