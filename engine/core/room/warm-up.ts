/**
 * What a handshake computes on the main thread, once on fixed input: the first real one then finds compiled code. In
 * small steps, to be run while the first connection is under way; together they save some 40 ms there.
 */

import { UNKNOWN_NAT } from '../../../protocol/nat.ts';
import { type PeerMessage, peerMessage } from '../../../protocol/peer.ts';
import { serverMessage } from '../../../protocol/server.ts';
import { equalBytes } from '../crypto/bytes.ts';
import { hmac256, memberKeys } from '../crypto/derive.ts';
import type { Primitives } from '../crypto/primitives.ts';
import { deriveGeneration, deriveRoot, deriveSession } from './session.ts';
import { decodeMessage, encodeMessage, openSignal, sealSignal } from './signals.ts';

const BYTES = new Uint8Array(32).fill(7);
const MESSAGES: readonly PeerMessage[] = [
  { t: 'profile', nick: 'a', claim: null, prefix: { epoch: 0, index: 0 }, claims: [], roomTag: null },
  { t: 'candidates', revision: 1, candidates: [{ kind: 'lan', ip: '10.0.0.1', port: 1 }], nat: UNKNOWN_NAT },
  { t: 'candidates-ack', revision: 1 },
];

/** Each answers whether what it tried came out right. */
export const WARM_UPS: readonly ((primitives: Primitives) => boolean)[] = [
  () => serverMessage.safeParse({ t: 'left', member: '0123456789abcdef' }).success,
  () => MESSAGES.every((message) => peerMessage.safeParse(message).success),
  (primitives) => primitives.x25519(BYTES, memberKeys(primitives, BYTES, BYTES).publicKey) !== null,
  (primitives) =>
    hmac256(primitives, deriveRoot(primitives, BYTES, BYTES), BYTES).length +
      deriveGeneration(primitives, BYTES, BYTES, 'initiator').id.length ===
    48,
  (primitives) => {
    const [here, there] = (['initiator', 'responder'] as const).map((role) =>
      deriveSession(primitives, BYTES, BYTES, role),
    );
    return MESSAGES.every((message) => {
      const plaintext = encodeMessage(message);
      const opened = here && there && openSignal(there, BYTES, sealSignal(here, BYTES, plaintext));
      return opened != null && equalBytes(opened, plaintext) && decodeMessage(opened) !== null;
    });
  },
];
