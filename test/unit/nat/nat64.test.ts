import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { extract, type Nat64Prefix, prefixOf, prefixText, synthesise } from '../../../engine/core/candidates/nat64.ts';
import { Nat64 } from '../../../engine/nat64.ts';
import { until } from '../../until.ts';

/** What a resolver makes of 192.0.0.170 behind the prefixes of RFC 6052, 2.4, and what that section makes of 192.0.2.33. */
const VECTORS = [
  ['2001:db8::/32', '2001:db8:c000:aa::', '2001:db8:c000:221::'],
  ['2001:db8:100::/40', '2001:db8:1c0:0:aa::', '2001:db8:1c0:2:21::'],
  ['2001:db8:122::/48', '2001:db8:122:c000:0:aa00::', '2001:db8:122:c000:2:2100::'],
  ['2001:db8:122:300::/56', '2001:db8:122:3c0:0:aa::', '2001:db8:122:3c0:0:221::'],
  ['2001:db8:122:344::/64', '2001:db8:122:344:c0:0:aa00:0', '2001:db8:122:344:c0:2:2100:0'],
  ['2001:db8:122:344::/96', '2001:db8:122:344::c000:aa', '2001:db8:122:344::c000:221'],
  ['64:ff9b::/96', '64:ff9b::c000:aa', '64:ff9b::c000:221'],
] as const;

const prefixed = (text: string): Nat64Prefix => {
  const prefix = prefixOf([text]);
  if (prefix === null) throw new Error(`no prefix in ${text}`);
  return prefix;
};

describe('the prefix of a NAT64', () => {
  it.for(VECTORS)(
    '%s is told by the resolver’s answer (RFC 7050, 3), and used (RFC 6052, 2.4)',
    ([text, answer, made]) => {
      const prefix = prefixed(answer);
      expect(prefixText(prefix)).toBe(text);
      expect(synthesise(prefix, '192.0.2.33')).toBe(made);
      expect(extract(prefix, made)).toBe('192.0.2.33');
    },
  );

  it('takes the first record that tells one', () => {
    expect(prefixText(prefixed('64:ff9b::c000:ab'))).toBe('64:ff9b::/96');
    expect(prefixOf(['2001:db8::1', 'nonsense', '192.0.0.170', '64:ff9b::c000:aa'])).not.toBeNull();
  });

  it.for([
    ['2001:db8::1', 'no well-known address'],
    ['::ffff:192.0.0.170', 'an IPv4 address in another dress'],
    ['fe80::c000:aa', 'a link-local address'],
    ['ff02::c000:aa', 'a group'],
    ['::c000:aa', 'what stood for IPv4 itself once'],
    ['2001:db8:c000:aa::c000:aa', 'two places at once'],
    ['64:ff9b::c000:aa%eth0', 'a zone'],
  ])('is not in %s: %s', ([text]) => {
    expect(prefixOf([text!])).toBeNull();
  });

  it('keeps every address apart, for every length', () => {
    const [lengths, quad] = [fc.constantFrom(...VECTORS), fc.ipV4()];
    fc.assert(
      fc.property(lengths, quad, fc.ipV6(), ([, answer], ipv4, other) => {
        const prefix = prefixed(answer);
        expect(extract(prefix, synthesise(prefix, ipv4))).toBe(ipv4);
        const inside = extract(prefix, other);
        if (inside !== null) expect(extract(prefix, synthesise(prefix, inside))).toBe(inside);
      }),
    );
  });
});

describe('looking for a NAT64', () => {
  class World {
    readonly answers: (readonly string[] | Error)[];
    asked = 0;
    changes = 0;
    readonly timers: { at: number; callback: () => void }[] = [];
    readonly nat64: Nat64;

    constructor(...answers: (readonly string[] | Error)[]) {
      this.answers = answers;
      this.nat64 = new Nat64({
        port: { addresses: async () => this.#next() },
        clock: {
          now: () => 0,
          epoch: () => 0,
          at: (at, callback) => {
            const timer = { at, callback };
            this.timers.push(timer);
            return () => void this.timers.splice(this.timers.indexOf(timer), 1);
          },
        },
        log: () => {},
        changed: () => void this.changes++,
      });
    }

    #next(): readonly string[] {
      const answer = this.answers[this.asked++] ?? [];
      if (answer instanceof Error) throw answer;
      return answer;
    }
  }
  const found = ['64:ff9b::c000:aa'];

  it('tells of a change only, and translates global addresses only', async () => {
    const world = new World(found, found, []);
    const { nat64 } = world;
    expect(nat64.outwards({ ip: '198.51.100.1', port: 5 })).toBeNull();
    nat64.look();
    await until('found', () => nat64.active);
    expect(nat64.outwards({ ip: '198.51.100.1', port: 5 })).toEqual({ ip: '64:ff9b::c633:6401', port: 5 });
    for (const ip of ['192.168.1.1', '10.0.0.1', '100.64.0.1', '127.0.0.1', '2001:db8::1'])
      expect(nat64.outwards({ ip, port: 5 }), ip).toBeNull();
    expect(nat64.inwards({ ip: '64:ff9b::c633:6401', port: 5 })).toEqual({ ip: '198.51.100.1', port: 5 });
    expect(nat64.inwards({ ip: '2001:db8::1', port: 5 })).toBeNull();
    nat64.look();
    await until('asked again', () => world.asked === 2);
    nat64.look();
    await until('gone', () => !nat64.active);
    expect(world.changes).toBe(2);
  });

  it('asks again, less and less, while the resolver is silent, and not after its end', async () => {
    const world = new World(new Error('EAI_AGAIN'), new Error('EAI_AGAIN'), found);
    world.nat64.look();
    for (const wait of [1_000, 2_000]) {
      await until('a timer', () => world.timers.length === 1);
      const [timer] = world.timers.splice(0);
      expect(timer?.at).toBe(wait);
      timer?.callback();
    }
    await until('found', () => world.nat64.active);
    world.answers[3] = new Error('EAI_AGAIN');
    world.nat64.look();
    await until('a timer', () => world.timers.length === 1);
    world.nat64.stop();
    expect(world.timers).toEqual([]);
  });
});
