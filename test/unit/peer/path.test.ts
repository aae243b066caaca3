import { describe, expect, it } from 'vitest';
import { WORSE_LOSS_PCT } from '../../../engine/core/peer/choice.ts';
import { PathRecord } from '../../../engine/core/peer/path.ts';
import { selectPath } from '../../../engine/core/peer/selection.ts';
import {
  DEAD_AFTER_MS,
  FIRST_DEADLINE_MS,
  LOSS_WINDOW,
  MIN_DEADLINE_MS,
  MIN_VARIANCE_TERM_MS,
} from '../../../engine/core/peer/tuning.ts';

const VIA = { socket: 0, remote: { ip: '203.0.113.1', port: 5 } };

/** A path that has answered often enough for its RTT to be steady. */
function steady(rttMs: number): { path: PathRecord; now: number } {
  const path = new PathRecord('p', VIA, 'direct', 0);
  let now = 0;
  for (let seq = 1; seq <= 60; seq++, now += 250) {
    path.sent(seq, now);
    path.answered(seq, now, rttMs, now + rttMs);
  }
  return { path, now };
}

describe('when a probe is overdue', () => {
  it('is a second later while no RTT is known', () => {
    expect(new PathRecord('p', VIA, 'direct', 0).timeoutMs).toBe(FIRST_DEADLINE_MS);
  });

  it('is never sooner than 250 ms, however fast the path', () => {
    expect(steady(1).path.timeoutMs).toBe(MIN_DEADLINE_MS);
  });

  it('is srtt and at least 40 ms on a slow and steady one', () => {
    expect(steady(300).path.timeoutMs).toBeCloseTo(300 + MIN_VARIANCE_TERM_MS, 0);
  });

  it('is srtt + 4 rttvar on an unsteady one', () => {
    const { path, now } = steady(300);
    path.sent(100, now);
    path.answered(100, now, 700, now + 700);
    expect(path.timeoutMs).toBeCloseTo((path.srttMs ?? 0) + 4 * (path.rttvarMs ?? 0), 5);
    expect(path.timeoutMs).toBeGreaterThan(700);
  });
});

describe('a path that falls silent', () => {
  /** Probes each 250 ms from `now` on, none answered. */
  function silent() {
    const { path, now } = steady(20);
    for (let probe = 0; probe < 5; probe++) path.sent(200 + probe, now + 250 * probe);
    return { path, now };
  }

  it('is in doubt with the second overdue probe, not with the first', () => {
    const { path, now } = silent();
    path.expire(now + MIN_DEADLINE_MS - 1);
    expect([path.overdue, path.suspect]).toEqual([0, false]);
    path.expire(now + MIN_DEADLINE_MS);
    expect([path.overdue, path.suspect]).toEqual([1, false]);
    path.expire(now + 2 * MIN_DEADLINE_MS - 1);
    expect(path.suspect).toBe(false);
    path.expire(now + 2 * MIN_DEADLINE_MS);
    expect([path.overdue, path.suspect]).toEqual([2, true]);
  });

  it('is dead a second after its first unanswered probe left, and only when two are overdue', () => {
    const { path, now } = silent();
    path.expire(now + MIN_DEADLINE_MS);
    expect(path.deadAt()).toBe(Number.POSITIVE_INFINITY);
    path.expire(now + 2 * MIN_DEADLINE_MS);
    expect(path.deadAt()).toBe(now + DEAD_AFTER_MS);
  });

  it('is sound again with one answer to a later probe', () => {
    const { path, now } = silent();
    path.expire(now + 700);
    path.answered(202, now + 500, 220, now + 720);
    expect([path.overdue, path.suspect, path.deadAt()]).toEqual([0, false, Number.POSITIVE_INFINITY]);
  });

  it('is judged no earlier than its answers could have been read, after the process was blocked', () => {
    const { path, now } = silent();
    path.grant(now + 2_150);
    path.expire(now + 2_149);
    expect(path.overdue).toBe(0);
    path.expire(now + 2_150);
    expect(path.deadAt()).toBeGreaterThanOrEqual(now + DEAD_AFTER_MS);
  });

  it('is never called dead when it is the relay, whose connection tells', () => {
    const relay = new PathRecord('external', 'external', 'relay', 0);
    for (let probe = 0; probe < 5; probe++) relay.sent(probe, 1_000 * probe);
    relay.expire(60_000);
    expect([relay.suspect, relay.deadAt()]).toEqual([true, Number.POSITIVE_INFINITY]);
  });
});

describe('the loss that decides', () => {
  /** Probes twice a second, of which those that `lost` names get no answer. */
  function weather(path: PathRecord, from: number, probes: number, lost: (probe: number) => boolean): void {
    for (let probe = 0; probe < probes; probe++) {
      const [seq, at] = [from + probe, 500 * (from + probe)];
      path.sent(seq, at);
      if (!lost(probe)) path.answered(seq, at, 20, at + 20);
      path.expire(at + 499);
    }
  }

  it('forgets bad weather with the first window in which nothing is lost', () => {
    const path = new PathRecord('p', VIA, 'direct', 0);
    weather(path, 0, 100, (probe) => probe % 3 === 0);
    expect(path.meanLossPct).toBeGreaterThan(10);
    weather(path, 100, LOSS_WINDOW, () => false);
    expect(path.meanLossPct).toBeLessThan(WORSE_LOSS_PCT);
  });

  it('is not fooled by a window that only loses less', () => {
    const path = new PathRecord('p', VIA, 'direct', 0);
    weather(path, 0, 100, (probe) => probe % 3 === 0);
    weather(path, 100, LOSS_WINDOW, (probe) => probe % 16 === 8);
    expect(path.meanLossPct).toBeGreaterThan(WORSE_LOSS_PCT);
  });
});

describe('a path that is not in use', () => {
  /** Which one is chosen while the relay is in use. */
  function beside(path: PathRecord): (now: number) => string | null {
    const relay = new PathRecord('relay', 'external', 'relay', 0);
    const records = new Map([path, relay].map((record) => [record.key, record]));
    return (now) => selectPath({ records, chosen: 'relay', firstDirectAt: 0 }, now).chosen;
  }

  it('is held back until its time, and takes over then', () => {
    const { path, now } = steady(40);
    const chosenAt = beside(path);
    path.heldUntil = now + 500;
    expect([now, now + 499, now + 500].map(chosenAt)).toEqual(['relay', 'relay', 'p']);
  });

  it('and died as a standby takes over at once', () => {
    const { path, now } = steady(40);
    path.died(false);
    path.revived(now);
    expect(beside(path)(now)).toBe('p');
  });

  it('takes over only when it has answered its last probe, and again after a change of network', () => {
    const { path, now } = steady(40);
    const chosenAt = beside(path);
    path.sent(100, now);
    path.expire(now + 1_000);
    expect(chosenAt(now + 1_000)).toBe('relay');
    path.answered(100, now, 40, now + 1_000);
    expect(chosenAt(now + 1_000)).toBe('p');
    path.distrust();
    expect(chosenAt(now + 1_000)).toBe('relay');
    path.sent(101, now + 1_000);
    path.answered(101, now + 1_000, 40, now + 1_040);
    expect(chosenAt(now + 1_040)).toBe('p');
  });
});
