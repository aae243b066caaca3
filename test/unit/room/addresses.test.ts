import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toBase64 } from '../../../engine/core/crypto/bytes.ts';
import { topicOf } from '../../../engine/core/crypto/derive.ts';
import {
  clearIndex,
  formatIpv4,
  hostOf,
  ipv6Of,
  isClear,
  parseIpv4,
  prefixOf,
} from '../../../engine/core/room/addresses.ts';
import { Claims } from '../../../engine/core/room/claims.ts';
import type { AddressClaim } from '../../../protocol/peer.ts';
import { seeded, together, World } from './harness.ts';

const topic = topicOf('den');
const keyBytes = (i: number) => seeded(`key ${i}`)(32);
const key = (i: number) => toBase64(keyBytes(i));
const nobody = () => false;

/** Two keys whose first host number is the same, lower claim order first. */
function colliding(): [number, number] {
  const seen = new Map<number, number>();
  for (let i = 0; ; i++) {
    const host = hostOf(topic, keyBytes(i), 0);
    const other = seen.get(host);
    if (other !== undefined) return firstWins(other, i) ? [other, i] : [i, other];
    seen.set(host, i);
  }
}

function firstWins(a: number, b: number): boolean {
  const claims = new Claims(topic, key(b), [], null);
  const own = { ...claims.own };
  const verdict = claims.judge({ key: key(a), host: own.host, attempt: 0, held: false }, nobody);
  return verdict.accepted;
}

describe('the room prefix', () => {
  it('is a /20 in 10.64.0.0/10 that follows from the topic', () => {
    for (let index = 0; index < 64; index++) {
      const prefix = prefixOf(topic, index);
      expect(prefix % 4_096).toBe(0);
      expect(prefix).toBeGreaterThanOrEqual(0x0a_40_00_00);
      expect(prefix).toBeLessThan(0x0a_80_00_00);
    }
    expect(prefixOf(topic, 0)).not.toBe(prefixOf(topicOf('other'), 0));
  });

  it('keeps clear of the networks of the host', () => {
    const own = `${formatIpv4(prefixOf(topic, 0))}/24`;
    expect(isClear(topic, 0, [own])).toBe(false);
    expect(isClear(topic, 0, ['10.0.0.0/8'])).toBe(false);
    expect(isClear(topic, 0, ['192.168.1.0/24', 'nonsense', '10.1.0.0/16'])).toBe(true);
    expect(clearIndex(topic, [own])).toBe(1);
    expect(clearIndex(topic, ['10.0.0.0/8'])).toBe(0);
  });

  it('reads dotted decimal only', () => {
    fc.assert(
      fc.property(fc.ipV4(), (ip) => {
        expect(formatIpv4(parseIpv4(ip) ?? 0)).toBe(ip);
      }),
    );
    expect(['1.2.3', '1.2.3.256', 'a.b.c.d', '::1', ''].map(parseIpv4)).toEqual([null, null, null, null, null]);
  });

  it('gives every key an address in the ULA /64 of the room', () => {
    const [a, b] = [ipv6Of(topic, keyBytes(1)), ipv6Of(topic, keyBytes(2))];
    expect(a).toMatch(/^fd[0-9a-f]{2}(:[0-9a-f]{1,4}){7}$/);
    expect(a.split(':').slice(0, 4)).toEqual(b.split(':').slice(0, 4));
    expect(a).not.toBe(b);
  });
});

describe('claims', () => {
  const [winner, loser] = colliding();
  const claimOf = (i: number, held: boolean): AddressClaim => ({
    key: key(i),
    host: hostOf(topic, keyBytes(i), 0),
    attempt: 0,
    held,
  });

  it('go to the lower hash between equals: the loser takes its next number', () => {
    const claims = new Claims(topic, key(loser), [], null);
    expect(claims.judge(claimOf(winner, false), nobody)).toMatchObject({ accepted: true, ownMoved: true });
    expect(claims.own).toMatchObject({ attempt: 1, host: hostOf(topic, keyBytes(loser), 1), held: false });
  });

  it('of the higher hash are refused by naming the better one', () => {
    const claims = new Claims(topic, key(winner), [], null);
    expect(claims.judge(claimOf(loser, false), nobody)).toEqual({ accepted: false, by: claims.own });
  });

  it('that are held beat tentative ones, whatever the hash', () => {
    const claims = new Claims(topic, key(winner), [], null);
    expect(claims.judge(claimOf(loser, true), nobody)).toMatchObject({ accepted: true, ownMoved: true });
  });

  it('of absent members are kept from newcomers, but not from one who holds the number and is here', () => {
    const third = new Claims(topic, key(999_999), [claimOf(winner, true)], null);
    expect(third.judge(claimOf(loser, false), nobody)).toMatchObject({ accepted: false });
    expect(third.judge(claimOf(loser, true), nobody)).toMatchObject({ accepted: true, displaced: key(winner) });
  });

  it('are learned from others only where they contradict nothing', () => {
    const claims = new Claims(topic, key(winner), [], null);
    expect(claims.learn([claimOf(loser, true)], nobody)).toBe(false);
    expect(claims.learn([claimOf(5, true)], (present) => present === key(5))).toBe(false);
    expect(claims.learn([{ key: 'no key', host: 7, attempt: 0, held: true }], nobody)).toBe(false);
    expect(claims.learn([claimOf(5, true)], nobody)).toBe(true);
    expect(claims.of(key(5))?.host).toBe(claimOf(5, true).host);
  });

  it('move only for a refusal that names a claim that wins', () => {
    const claims = new Claims(topic, key(winner), [], null);
    expect(claims.refused(claims.own.host, claimOf(loser, false))).toBe(false);
    expect(claims.refused(claims.own.host, { ...claimOf(5, true), host: 4 })).toBe(false);
    expect(claims.refused(claims.own.host, claimOf(loser, true))).toBe(true);
    expect(claims.own.attempt).toBe(1);
  });

  it('of 250 members never share a number, in whatever order they meet', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...Array(250).keys()], { minLength: 250 }), (order) => {
        const judge = new Claims(topic, key(10_000), [], null);
        const hosts = order.map((i) => {
          const member = new Claims(topic, key(i), judge.all(), null);
          const verdict = judge.judge(member.own, () => true);
          return verdict.accepted ? member.own.host : -i - 1;
        });
        expect(new Set(hosts).size).toBe(250);
      }),
      { numRuns: 3 },
    );
  });
});

describe('addresses in a room', () => {
  it('stay what they were while their owner is away', () => {
    const world = new World();
    const ann = world.node({ name: 'ann' }).start();
    const bob = world.node({ name: 'bob' }).start();
    world.until(() => together(ann, bob));
    const address = ann.addresses.get(bob.key);
    bob.kill();
    ann.kill();
    const annAgain = world.node({ name: 'ann', memory: ann.memory, seed: 'a2' }).start();
    world.run(500);
    const cas = world.node({ name: 'cas' }).start();
    world.until(() => together(annAgain, cas));
    annAgain.kill();
    // Only cas, who never met bob, is there when bob comes back without any memory.
    const bobAgain = world.node({ name: 'bob', seed: 'b2' }).start();
    world.until(() => together(cas, bobAgain) && bobAgain.core.view().ipv4 !== null);
    expect(bobAgain.core.view().ipv4).toBe(address);
  });

  it('follow the founder, whose own network overlaps the first choice', () => {
    const world = new World();
    const lan = `${formatIpv4(prefixOf(topic, 0))}/22`;
    const ann = world.node({ name: 'ann', hostNetworks: [lan] }).start();
    world.run(500);
    const bob = world.node({ name: 'bob' }).start();
    world.until(() => together(ann, bob) && bob.core.view().ipv4 !== null);
    const base = prefixOf(topic, 1);
    for (const node of [ann, bob]) {
      expect(Math.floor((parseIpv4(node.core.view().ipv4 ?? '') ?? 0) / 4_096)).toBe(base / 4_096);
    }
    expect(bob.memory?.prefix).toEqual({ epoch: 1, index: 1 });
  });

  it('are not moved by a member that claims the last epoch of all', () => {
    const world = new World();
    const ann = world.node({ name: 'ann' }).start();
    world.run(500);
    const last = { epoch: Number.MAX_SAFE_INTEGER, index: 0 };
    const memory = { prs: null, roomTag: null, prefix: last, claims: [], pins: [], blocked: [] };
    const mallory = world.node({ name: 'mallory', memory }).start();
    world.until(() => together(ann, mallory));
    world.run(2_000);
    expect(ann.memory?.prefix).toEqual({ epoch: 0, index: 0 });
  });

  it('do not change for a latecomer whose network overlaps', () => {
    const world = new World();
    const lan = `${formatIpv4(prefixOf(topic, 0))}/22`;
    const ann = world.node({ name: 'ann' }).start();
    world.run(500);
    const bob = world.node({ name: 'bob', hostNetworks: [lan] }).start();
    world.until(() => together(ann, bob));
    world.run(2_000);
    expect(ann.count('self-address')).toBe(1);
    expect(bob.memory?.prefix).toEqual({ epoch: 0, index: 0 });
  });

  it('settle after two halves of a room merge: whoever held nothing moves, and nobody shares', () => {
    const [winner, loser] = collidingMachines();
    const world = new World(2);
    world.servers[1]?.die();
    const ann = world.node({ name: 'ann', machine: winner, servers: [0, 1] }).start();
    const cas = world.node({ name: 'cas', servers: [0] }).start();
    world.until(() => together(ann, cas));
    world.servers[1]?.revive();
    const bob = world.node({ name: 'bob', machine: loser, servers: [1] }).start();
    world.until(() => together(ann, bob), 60_000, 20);
    world.run(1_000);
    expect(ann.core.view().ipv4).not.toBe(bob.core.view().ipv4);
    expect(ann.addresses.get(bob.key)).toBe(bob.core.view().ipv4);
    expect(bob.addresses.get(ann.key)).toBe(ann.core.view().ipv4);
    expect(ann.notices()).not.toContain('address-moved');
    expect(bob.notices()).toContain('address-moved');
  });

  it('can be asked for, inside the prefix of the room', () => {
    const world = new World();
    const wish = formatIpv4(prefixOf(topic, 0) + 77);
    const ann = world.node({ name: 'ann' }).start();
    const bob = world.node({ name: 'bob', ipv4: wish }).start();
    world.until(() => together(ann, bob));
    expect(bob.core.view().ipv4).toBe(wish);
    expect(ann.addresses.get(bob.key)).toBe(wish);
    const cas = world.node({ name: 'cas', ipv4: formatIpv4(prefixOf(topic, 3) + 77) }).start();
    const dan = world.node({ name: 'dan', ipv4: wish }).start();
    world.until(() => together(ann, bob, cas, dan) && dan.core.view().ipv4 !== null && cas.core.view().ipv4 !== null);
    for (const node of [cas, dan]) {
      expect(node.core.view().ipv4).not.toBe(wish);
      expect(node.notices()).toContain('address-conflict');
    }
  });
});

/** Machines whose members begin with the same host number in room «den». */
function collidingMachines(): [string, string] {
  const seen = new Map<string, string>();
  for (let i = 0; ; i++) {
    const node = new World().node({ machine: `m${i}` });
    const host = hostOf(topic, Uint8Array.from(Buffer.from(node.key, 'base64')), 0);
    const other = seen.get(String(host));
    if (other !== undefined) return [other, `m${i}`];
    seen.set(String(host), `m${i}`);
  }
}
