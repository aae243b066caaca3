import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Budget, MAX_MAPPINGS, MAX_SESSIONS, PROBE_BURST, PROBES_PER_SECOND } from '../../../engine/core/budget.ts';

const remote = (port: number) => ({ ip: '203.0.113.1', port });

describe('the budget of the whole client', () => {
  it('holds in every second, whenever one asks', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 40, noNaN: true }), { maxLength: 600 }), (gaps) => {
        const budget = new Budget();
        const sent: number[] = [];
        let now = 1_000;
        for (const gap of gaps) {
          now += gap;
          for (let i = 0; i < 20; i++) if (budget.take(now)) sent.push(now);
        }
        for (const [i, at] of sent.entries()) {
          const within = sent.slice(i).filter((other) => other < at + 1_000).length;
          expect(within).toBeLessThanOrEqual(PROBES_PER_SECOND + PROBE_BURST);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('makes the others pay for the pings of proven paths, which never wait', () => {
    const budget = new Budget();
    let others = 0;
    const drain = (now: number) => {
      for (let i = 0; i < 1_000 && budget.take(now); i++) others++;
    };
    drain(0);
    // Twenty paths are asked at once, when nothing is left.
    for (let path = 0; path < 20; path++) budget.spend(1);
    for (let now = 2; now <= 1_000; now++) drain(now);
    expect(others + 20).toBeLessThanOrEqual(PROBE_BURST + PROBES_PER_SECOND);
    // However much they take, it is not paid for ever.
    for (let now = 1_000; now < 10_000; now += 2) budget.spend(now);
    expect(budget.take(10_300)).toBe(true);
  });

  it('knows a socket to stand towards what it was used for, for two minutes, however its mapping is called', () => {
    for (const dependent of [true, false, 'address'] as const) {
      const budget = new Budget();
      budget.sent(0, 7, remote(1), dependent);
      expect(budget.stands(120_000, 7, remote(1))).toBe(true);
      expect(budget.stands(120_001, 7, remote(1))).toBe(false);
      // The same mapping perhaps, another session in any case.
      expect(budget.stands(0, 7, remote(2))).toBe(false);
    }
  });

  it('leaves some of a burst to checks when a punch has taken all it may', () => {
    const budget = new Budget();
    for (let i = 0; i < 1_000 && budget.probes(0) > 0; i++) budget.take(0);
    expect(budget.probes(0)).toBe(0);
    expect(budget.take(0)).toBe(true);
  });

  it('counts a mapping for each destination of a hard NAT, and one for each socket of an easy one', () => {
    const hard = new Budget();
    const easy = new Budget();
    const before = hard.mappingsLeft(0);
    for (let port = 1; port <= 50; port++) {
      hard.sent(0, 0, remote(port), true);
      easy.sent(0, 0, remote(port), false);
    }
    expect(hard.mappingsLeft(0)).toBe(before - 50);
    expect(easy.mappingsLeft(0)).toBe(before - 1);
    expect(easy.sessionsLeft(0)).toBe(hard.sessionsLeft(0));
  });

  it('counts what stands, once however often it is used, and forgets it a lifetime after the last time', () => {
    const budget = new Budget();
    const before = budget.mappingsLeft(0);
    for (let at = 0; at <= 100_000; at += 10_000) budget.sent(at, 5, remote(9), true);
    expect(budget.mappingsLeft(100_000)).toBe(before - 1);
    expect(budget.mappingsLeft(215_000)).toBe(before - 1);
    expect(budget.mappingsLeft(225_000)).toBe(before);
    budget.sent(300_000, 5, remote(9), true);
    expect(budget.mappingsLeft(300_000)).toBe(before - 1);
  });

  it('keeps a reserve below the limits', () => {
    const budget = new Budget();
    expect(budget.mappingsLeft(0)).toBeLessThan(MAX_MAPPINGS);
    expect(budget.sessionsLeft(0)).toBeLessThan(MAX_SESSIONS);
  });

  it('counts what was used within the last two minutes', () => {
    const window = 120_000;
    const budget = new Budget();
    const whole = budget.mappingsLeft(0);
    for (let socket = 0; socket < 20; socket++) budget.sent(0, socket, remote(1), true);
    expect(budget.mappingsLeft(window)).toBe(whole - 20);
    expect(budget.mappingsLeft(window + 1)).toBe(whole);
    // One that was silent for longer is made anew by the next packet.
    budget.sent(window + 1, 0, remote(1), true);
    expect(budget.mappingsLeft(window + 1)).toBe(whole - 1);
  });
});
