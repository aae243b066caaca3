import { describe, expect, it } from 'vitest';
import { Schedule } from '../../../engine/core/punch/schedule.ts';
import type { Member } from '../../../engine/member.ts';
import { PunchChoices } from '../../../engine/punch-choices.ts';
import { type NatReport, UNKNOWN_NAT } from '../../../protocol/nat.ts';

const counter: NatReport = {
  ...UNKNOWN_NAT,
  mapping: 'address-and-port-dependent',
  filtering: 'address-and-port-dependent',
  ports: { kind: 'sequential', step: 1, low: 5_000, high: 5_009 },
};
/** Two servers that disagree would show it so. */
const doubtful: NatReport = { ...counter, mapping: 'address-dependent' };

function crossing() {
  const schedule = new Schedule((length) => new Uint8Array(length));
  const choices = new PunchChoices({
    schedule,
    budget: { mappingsLeft: () => 300, remotesLeft: () => 2_000 },
    members: { all: () => new Map() },
    ownKey: 'a',
    nat: () => counter,
    dependentMappings: () => true,
    settled: () => true,
    settings: () => ({ hardNat: true, relayOnly: false }),
  });
  const core = { nat: () => doubtful, direct: () => false, endpoints: () => [{ ip: '198.51.100.7', port: 5_000 }] };
  const member = { key: 'b', proven: true, core } as unknown as Member;
  return { schedule, strategy: (now: number) => choices.choose(now, member)?.strategy };
}

describe('a crossing by labels that may be wrong', () => {
  it('has one turn of four; what doubts them has the others', () => {
    const { schedule, strategy } = crossing();
    const turns = Array.from({ length: 6 }, (_, i) => {
      const chosen = strategy(i * 1_000);
      schedule.ended(i * 1_000, 'b', 'exhausted');
      return chosen;
    });
    expect(turns).toEqual(['crossing', 'bracket', 'bracket', 'bracket', 'crossing', 'bracket']);
  });

  it('waits no longer than a back-off where the two sides count differently', () => {
    const { schedule, strategy } = crossing();
    schedule.accepted(1_000, 'b');
    expect(strategy(100_000)).toBe('bracket');
    expect(strategy(181_000)).toBe('crossing');
  });

  it('has every turn once the doubts are spent', () => {
    const { schedule, strategy } = crossing();
    for (let i = 0; i < 6; i++) schedule.ended(0, 'b', 'exhausted');
    expect(strategy(1_000)).toBe('crossing');
    schedule.ended(1_000, 'b', 'exhausted');
    expect(strategy(2_000)).toBe('crossing');
  });
});
