import { describe, expect, it } from 'vitest';
import type { Networks } from '../../../engine/core/punch/networks.ts';
import { Schedule } from '../../../engine/core/punch/schedule.ts';

const ONE = ['ann'];

function fresh(): Schedule {
  return new Schedule((length) => new Uint8Array(length));
}

/** First moment from `now` on at which this member's turn comes; null when it never does. */
function turn(schedule: Schedule, now: number, key = 'ann'): number | null {
  if (schedule.pick(now, [key]) !== null) return now;
  const next = schedule.nextAt(now);
  return Number.isFinite(next) ? next : null;
}

describe('whose turn it is', () => {
  it('is nobody’s at first: easy ways get a moment', () => {
    const schedule = fresh();
    expect(schedule.pick(1_000, ONE)).toBeNull();
    expect(schedule.pick(schedule.nextAt(1_000), ONE)).toBe('ann');
  });

  it('is the one’s that failed least', () => {
    const schedule = fresh();
    schedule.pick(0, ['ann', 'bob']);
    schedule.ended(1_000, 'ann', 'exhausted');
    expect(schedule.pick(60_000, ['ann', 'bob'])).toBe('bob');
  });

  it('comes after 5 s, doubling, and at last never again', () => {
    const schedule = fresh();
    const waits: (number | null)[] = [];
    for (let i = 0; i < 9; i++) {
      schedule.ended(0, 'ann', 'exhausted');
      waits.push(turn(schedule, 0));
    }
    expect(waits).toEqual([5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000, null, null]);
  });

  it('comes in three seconds where this side’s address had not arrived, and nothing has failed', () => {
    const schedule = fresh();
    for (let now = 0; now < 30_000; now += 3_000) {
      schedule.ended(now, 'ann', 'no-address');
      expect(turn(schedule, now)).toBe(now + 3_000);
    }
    expect(schedule.failures('ann')).toBe(0);
  });

  it.each(['busy', 'later', 'no-address'] as const)('comes soon after %s, but not without end', (refusal) => {
    const schedule = fresh();
    let now = 0;
    let asked = 0;
    for (; asked < 1_000; asked++) {
      schedule.ended(now, 'ann', refusal);
      const next = turn(schedule, now);
      if (next === null) break;
      now = next;
    }
    expect(asked).toBeLessThan(200);
    expect(schedule.failures('ann')).toBeGreaterThan(7);
  });

  it('comes anew after success, a departure, and a change of network', () => {
    const schedule = fresh();
    for (let i = 0; i < 9; i++) schedule.ended(0, 'ann', 'exhausted');
    schedule.ended(0, 'ann', 'direct');
    expect(schedule.failures('ann')).toBe(0);
    for (let i = 0; i < 9; i++) schedule.ended(0, 'ann', 'exhausted');
    schedule.retain(new Map());
    expect(turn(schedule, 0)).not.toBeNull();
    for (let i = 0; i < 9; i++) schedule.ended(0, 'ann', 'exhausted');
    schedule.clear();
    expect(turn(schedule, 0)).not.toBeNull();
  });
});

describe('another network on either side', () => {
  const at = (labels: string, ...ips: string[]): Networks => ({ addresses: [['203.0.113.5'], ips], labels });
  const failed = (): Schedule => {
    const schedule = fresh();
    schedule.between(0, 'ann', at('hard', '198.51.100.1', '198.51.100.2'));
    schedule.ended(0, 'ann', 'exhausted');
    schedule.accepted(0, 'ann');
    return schedule;
  };

  it('begins everything anew, also what the member may ask', () => {
    const schedule = failed();
    schedule.between(1, 'ann', at('hard', '198.51.100.3'));
    expect([schedule.tries('ann'), schedule.mayAccept(1, 'ann')]).toEqual([0, true]);
  });

  it('does so less and less often', () => {
    const schedule = failed();
    const renewed: number[] = [];
    for (let now = 1_000; now < 3_600_000; now += 1_000) {
      schedule.between(now, 'ann', at('hard', `198.51.100.${now}`));
      if (schedule.tries('ann') === 0) renewed.push(now);
      schedule.ended(now, 'ann', 'exhausted');
    }
    expect(renewed.length).toBeGreaterThan(7);
    expect(renewed.length).toBeLessThan(16);
  });

  it('is none where a network is only measured better: both sides count what they tried', () => {
    const schedule = failed();
    schedule.between(1, 'ann', at('easy', '198.51.100.2', '198.51.100.4'));
    expect(schedule.tries('ann')).toBe(2);
  });

  it('may be another NAT at the same address, once all was given up', () => {
    const schedule = failed();
    for (let i = 0; i < 9; i++) schedule.ended(0, 'ann', 'exhausted');
    schedule.between(1, 'ann', at('hard', '198.51.100.1'));
    expect(schedule.gaveUp('ann')).toBe(true);
    schedule.between(2, 'ann', at('easy', '198.51.100.1'));
    expect(turn(schedule, 2)).not.toBeNull();
  });
});

describe('how often a member may ask', () => {
  it('is less and less, yet never less than an honest leader does', () => {
    const leader = fresh();
    const follower = fresh();
    let now = 0;
    for (let i = 0; i < 7; i++) {
      expect(follower.mayAccept(now, 'ann')).toBe(true);
      follower.accepted(now, 'ann');
      expect(follower.mayAccept(now, 'ann')).toBe(false);
      leader.ended(now, 'ann', 'exhausted');
      now = turn(leader, now) ?? Number.POSITIVE_INFINITY;
    }
  });

  it('is bounded for one that asks without end', () => {
    const schedule = fresh();
    let accepted = 0;
    for (let now = 0; now < 3_600_000; now += 100) {
      if (!schedule.mayAccept(now, 'ann')) continue;
      schedule.accepted(now, 'ann');
      accepted += 1;
    }
    expect(accepted).toBeLessThan(25);
  });
});
