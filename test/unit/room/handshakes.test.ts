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

it('compares what a stranger sent with our roots once, however long it waits', () => {
  const random = seeded('strangers');
  const topic = topicOf('room');
  const keys = memberKeys(PORTABLE, random(32), topic);
  let looked = 0;
  const context: HandshakeContext = {
    topic,
    prs: random(32),
    keys,
    primitives: PORTABLE,
    random,
    roomTag: () => null,
    knownRoots: () => {
      looked += 1;
      return [];
    },
    generationOf: () => null,
    greeting: () => new Uint8Array(),
    refuses: () => false,
    freshShare: () => true,
  };
  const ownSession = new Uint8Array(16).fill(255);
  const members = Array.from({ length: 30 }, (_, index) =>
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
