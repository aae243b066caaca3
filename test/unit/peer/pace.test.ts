import { describe, expect, it } from 'vitest';
import { keepaliveMs, nextProbeAt, type Pace } from '../../../engine/core/peer/pace.ts';
import { PathRecord } from '../../../engine/core/peer/path.ts';
import { ACTIVE_PROBE_MS, KEEPALIVE_MS, SPARE_PATH_MS } from '../../../engine/core/peer/tuning.ts';

describe('the keepalive', () => {
  it.each([
    [null, 8_000],
    [undefined, 8_000],
    [5, 4_000],
    [10, 8_000],
    [20, 16_000],
    [30, 24_000],
    [60, 25_000],
    [120, 25_000],
  ])('at a lifetime of %s s is sent each %i ms', (lifetime, expected) => {
    expect(keepaliveMs(lifetime)).toBe(expected);
  });
});

describe('an idle path', () => {
  const now = 1_000_000;
  /** Answered, warmed up, probed just now. */
  function path(key: string): PathRecord {
    const record = new PathRecord(key, { socket: 0, remote: { ip: '203.0.113.1', port: 5 } }, 'direct', 0);
    for (let seq = 1; seq <= 8; seq++) {
      record.sent(seq, now);
      record.answered(seq, now, 20, now);
    }
    return record;
  }
  const pace = (change: Partial<Pace> = {}): Pace => ({
    active: false,
    alertSince: null,
    chosen: 'used',
    relayed: false,
    keepaliveMs: 16_000,
    standbys: ['a', 'b', 'c', 'd'],
    ...change,
  });
  const gap = (key: string, change?: Partial<Pace>) => nextProbeAt(path(key), pace(change), now) - now;

  it('is kept by the lifetime, and so are the three best standbys', () => {
    expect(['used', 'a', 'b', 'c', 'd'].map((key) => gap(key))).toEqual([
      16_000,
      16_000,
      16_000,
      16_000,
      SPARE_PATH_MS,
    ]);
  });

  it('is probed four times a second while data is sent, its standbys are not', () => {
    expect([gap('used', { active: true }), gap('a', { active: true })]).toEqual([ACTIVE_PROBE_MS, 16_000]);
  });

  it('is asked at once when it or the path in use is in doubt', () => {
    expect(gap('a', { alertSince: now, keepaliveMs: KEEPALIVE_MS })).toBe(ACTIVE_PROBE_MS);
  });
});
