import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { choosePath, isDirect, type PathFacts } from '../../../engine/core/peer/choice.ts';

const path = (key: string, kind: PathFacts['kind'], change: Partial<PathFacts> = {}): PathFacts => ({
  key,
  kind,
  alive: true,
  rttMs: 40,
  samples: 10,
  lossPct: 0,
  avoided: false,
  tieBreak: key,
  ...change,
});
const chosen = (paths: PathFacts[], current: string | null = null, settling = false) =>
  choosePath(paths, current, settling)?.key ?? null;

describe('the choice of a path', () => {
  it('is none where none is alive', () => {
    expect(chosen([path('a', 'lan', { alive: false })])).toBeNull();
  });

  it('is alive before all else', () => {
    expect(chosen([path('lan', 'lan', { alive: false }), path('relay', 'relay')])).toBe('relay');
  });

  it('prefers LAN, then IPv6, then other direct paths, then relays', () => {
    const all = [
      path('relay', 'relay'),
      path('turn', 'turn'),
      path('v4', 'direct'),
      path('v6', 'ipv6'),
      path('lan', 'lan'),
    ];
    const order: (string | null)[] = [];
    for (const left = [...all]; left.length > 0; ) {
      const key = chosen(left);
      order.push(key);
      left.splice(
        left.findIndex((one) => one.key === key),
        1,
      );
    }
    expect(order).toEqual(['lan', 'v6', 'v4', 'turn', 'relay']);
  });
});

describe('direct against relayed', () => {
  const relay = path('relay', 'relay', { rttMs: 50 });

  it('keeps a direct path at exactly 1.6 times the RTT and leaves it above', () => {
    expect(chosen([path('direct', 'direct', { rttMs: 80 }), relay])).toBe('direct');
    expect(chosen([path('direct', 'direct', { rttMs: 80.1 }), relay])).toBe('relay');
  });

  it('keeps a direct path that loses exactly 3 % more and leaves it above', () => {
    expect(chosen([path('direct', 'direct', { lossPct: 3 }), relay])).toBe('direct');
    expect(chosen([path('direct', 'direct', { lossPct: 3.1 }), relay])).toBe('relay');
  });

  it('compares loss with what the relay loses itself', () => {
    expect(chosen([path('direct', 'direct', { lossPct: 5 }), { ...relay, lossPct: 4 }])).toBe('direct');
  });

  it('takes back what it left only at 1.3 times the RTT and 1 % loss', () => {
    const left = (change: Partial<PathFacts>) =>
      chosen([path('direct', 'direct', { avoided: true, ...change }), relay]);
    expect(left({ rttMs: 66 })).toBe('relay');
    expect(left({ rttMs: 65 })).toBe('direct');
    expect(left({ lossPct: 1.1 })).toBe('relay');
    expect(left({ lossPct: 1 })).toBe('direct');
  });

  it('does not judge RTT by three answers or by less than 10 ms', () => {
    expect(chosen([path('direct', 'direct', { rttMs: 500, samples: 3 }), relay])).toBe('direct');
    expect(chosen([path('direct', 'direct', { rttMs: 11 }), { ...relay, rttMs: 1 }])).toBe('direct');
    expect(chosen([path('direct', 'direct', { rttMs: 11.1 }), { ...relay, rttMs: 1 }])).toBe('relay');
  });

  it('names the path that it passed over', () => {
    expect(choosePath([path('direct', 'direct', { rttMs: 200 }), relay], 'direct', false)).toEqual({
      key: 'relay',
      avoided: ['direct'],
    });
  });
});

describe('paths of one kind', () => {
  const slow = path('slow', 'direct', { rttMs: 50 });

  it('keep the one in use unless another is a fifth and 5 ms faster', () => {
    expect(chosen([slow, path('fast', 'direct', { rttMs: 40 })], 'slow')).toBe('slow');
    expect(chosen([slow, path('fast', 'direct', { rttMs: 39.9 })], 'slow')).toBe('fast');
    expect(chosen([{ ...slow, rttMs: 10 }, path('fast', 'direct', { rttMs: 6 })], 'slow')).toBe('slow');
  });

  it('come before a relay when the one in use is left, unless they are clearly worse too', () => {
    const relay = path('relay', 'relay', { rttMs: 50 });
    const lossy = path('lossy', 'direct', { lossPct: 3.1 });
    expect(choosePath([lossy, path('other', 'direct', { lossPct: 0.2 }), relay], 'lossy', false)).toEqual({
      key: 'other',
      avoided: ['lossy'],
    });
    expect(chosen([lossy, path('other', 'direct', { lossPct: 3.2 }), relay], 'lossy')).toBe('relay');
  });

  it('are ordered by their tie-break while settling, so that both sides agree', () => {
    const first = path('mine', 'direct', { tieBreak: 'a' });
    const second = path('other', 'direct', { tieBreak: 'b' });
    expect(chosen([second, first], 'other', true)).toBe('mine');
    expect(chosen([second, first], 'other', false)).toBe('other');
  });
});

const facts = fc.record({
  key: fc.string({ minLength: 1, maxLength: 3 }),
  kind: fc.constantFrom<PathFacts['kind']>('lan', 'ipv6', 'direct', 'relay'),
  alive: fc.boolean(),
  rttMs: fc.option(fc.double({ min: 0.1, max: 500, noNaN: true })),
  samples: fc.nat(40),
  lossPct: fc.double({ min: 0, max: 100, noNaN: true }),
  avoided: fc.constant(false),
  tieBreak: fc.string({ maxLength: 3 }),
});
const lists = fc.uniqueArray(facts, { selector: (one) => one.key, maxLength: 8 });

describe('for any set of paths', () => {
  it('the choice lives, exists where any path lives, and is stable: chosen once, it is chosen again', () => {
    fc.assert(
      fc.property(lists, (list) => {
        const first = chosen(list);
        expect(first === null).toBe(list.every((one) => !one.alive));
        if (first === null) return;
        expect(list.find((one) => one.key === first)?.alive).toBe(true);
        expect(chosen(list, first)).toBe(first);
      }),
    );
  });

  it('a lossless direct path that is no slower than the relay is never passed over for it', () => {
    fc.assert(
      fc.property(lists, (list) => {
        const good = path('good!', 'direct', { rttMs: 0.1 });
        const key = chosen([...list, good]);
        const kind = [...list, good].find((one) => one.key === key)?.kind;
        expect(kind !== undefined && isDirect(kind)).toBe(true);
      }),
    );
  });
});
