import { expect, it } from 'vitest';
import { memberKeys, topicOf } from '../../../engine/core/crypto/derive.ts';
import { PORTABLE } from '../../../engine/core/crypto/primitives.ts';
import type { HandshakeContext } from '../../../engine/core/room/handshake.ts';
import { Handshakes } from '../../../engine/core/room/handshakes.ts';
import { newMember } from '../../../engine/core/room/member.ts';
import { Shared } from '../../../engine/core/room/shared.ts';
import { encodeAd, encodeStart } from '../../../engine/core/room/wire.ts';
import { ROOM_LIMITS } from '../../../protocol/limits.ts';
import { seeded } from './harness.ts';

/** A responder that meets so many; `looked` is called whenever it looks at what it knows of them. */
function responder(count: number, looked: () => void = () => undefined) {
  const random = seeded('strangers');
  const topic = topicOf('room');
  const keys = memberKeys(PORTABLE, random(32), topic);
  const context: HandshakeContext = {
    topic,
    prs: random(32),
    keys,
    primitives: PORTABLE,
    random,
    roomTag: () => null,
    knownRoots: () => {
      looked();
      return [];
    },
    generationOf: () => null,
    greeting: () => new Uint8Array(),
    refuses: () => false,
    freshShare: () => true,
  };
  const ownSession = new Uint8Array(16).fill(255);
  const members = Array.from({ length: count }, (_, index) =>
    newMember({ index: 0, session: ownSession }, `${index}`, new Uint8Array(16).fill(index), 'one source', false, 0),
  );
  const shared = new Shared({ topic, keys, publicKey: '', random });
  const handshakes = new Handshakes(shared, () => members, {
    context: () => context,
    outcome: () => true,
    settled: () => {},
    failed: () => {},
  });
  const start = () =>
    encodeStart({ share: random(32), ad: encodeAd([1], random(32)), mac: random(32), hints: [random(8)] });
  return { shared, handshakes, members, start };
}

it('waits for its half of the work when message 1 is faster, and begins no second one', () => {
  const { shared, handshakes, members, start } = responder(1);
  const jobs = () =>
    shared
      .takeActions()
      .flatMap((action) => (action.type === 'crypto' ? [`${action.request.kind} ${action.job}`] : []));
  handshakes.pump();
  expect(jobs()).toEqual(['cpace-start 1']);
  for (const member of members) handshakes.frame(member, start());
  handshakes.pump();
  expect(jobs()).toEqual([]);
  shared.finishJob(1, { kind: 'cpace-start', scalar: new Uint8Array(32), share: new Uint8Array(32) });
  expect(jobs()).toEqual(['cpace-finish 2']);
});

it('answers all the same when its half of the work failed', () => {
  const { shared, handshakes, members, start } = responder(1);
  handshakes.pump();
  for (const member of members) handshakes.frame(member, start());
  shared.finishJob(1, { kind: 'failed' });
  expect(members[0]?.run).not.toBeNull();
});

it('compares what a stranger sent with our roots once, however long it waits', () => {
  let looked = 0;
  const { handshakes, members, start } = responder(30, () => {
    looked += 1;
  });
  for (const member of members) handshakes.frame(member, start());
  for (let i = 0; i < 50; i++) handshakes.pump();
  expect(members.filter((member) => member.run !== null)).toHaveLength(ROOM_LIMITS.guessesPerSourcePerMinute);
  expect(members.filter((member) => member.pending !== null).length).toBeGreaterThan(20);
  // Once to judge each of them, once more for each run that began, and once before a half is made in advance.
  expect(looked).toBeLessThanOrEqual(2 * members.length + ROOM_LIMITS.guessesPerSourcePerMinute);
  const before = looked;
  for (let i = 0; i < 50; i++) handshakes.pump();
  expect(looked).toBe(before);
});
