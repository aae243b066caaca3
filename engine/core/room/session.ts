/** Keys of one proven handshake, and the sealed channels made of them. */
import { bytesToHex, concatBytes } from '../crypto/bytes.ts';
import { expand, keysOf } from '../crypto/derive.ts';
import type { Primitives } from '../crypto/primitives.ts';
import { createOpener, createSealer, type Opener, type Sealer } from '../crypto/seal.ts';

export type Role = 'initiator' | 'responder';

/** Sealed messages to and from one member. The tunnel has channels of its own: its datagrams overtake the server's. */
export interface Session {
  /** Names the session in tunnel frames, 8 hex digits. */
  tag: string;
  sealer: Sealer;
  opener: Opener;
  tunnelSealer: Sealer;
  tunnelOpener: Opener;
}

/** What the device needs; stays for as long as both processes live. */
export interface Generation {
  /** 16 hex digits that both sides compute: the same generation, the same preshared key. */
  id: string;
  presharedKey: Uint8Array;
  probe: { sendKey: Uint8Array; receiveKey: Uint8Array };
}

/** Sealing keys from an ISK or a root; `salt` is unique to the run. */
export function deriveSession(primitives: Primitives, secret: Uint8Array, salt: Uint8Array, role: Role): Session {
  const key = keysOf(primitives, secret, salt);
  const [send, receive] = role === 'initiator' ? ['i2r', 'r2i'] : ['r2i', 'i2r'];
  return {
    tag: bytesToHex(key('session', 4)),
    sealer: createSealer(key(`seal-${send}`)),
    opener: createOpener(key(`seal-${receive}`)),
    tunnelSealer: createSealer(key(`tunnel-${send}`)),
    tunnelOpener: createOpener(key(`tunnel-${receive}`)),
  };
}

export function deriveRoot(primitives: Primitives, secret: Uint8Array, salt: Uint8Array): Uint8Array {
  return expand(primitives, secret, salt, 'root');
}

/** From the ISK alone: a reconnect leaves it as it is. */
export function deriveGeneration(primitives: Primitives, isk: Uint8Array, sid: Uint8Array, role: Role): Generation {
  const key = keysOf(primitives, isk, sid);
  const probe = key('probe', 64);
  const initiator = probe.slice(0, 32);
  const responder = probe.slice(32);
  return {
    id: bytesToHex(key('generation', 8)),
    presharedKey: key('psk'),
    probe:
      role === 'initiator'
        ? { sendKey: initiator, receiveKey: responder }
        : { sendKey: responder, receiveKey: initiator },
  };
}

/** Additional data of every sealed message: the room and the kind. */
export function aad(topic: Uint8Array, kind: number): Uint8Array {
  return concatBytes(topic, Uint8Array.of(kind));
}
