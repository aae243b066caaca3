/**
 * WireGuard's handshake written a second time from the paper (section 5.4), on other primitives than the device's: what the
 * device sends and takes is checked against this.
 */
import { randomBytes } from 'node:crypto';

import { chacha20poly1305, xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { x25519 } from '@noble/curves/ed25519.js';
import { blake2s } from '@noble/hashes/blake2.js';
import { hmac } from '@noble/hashes/hmac.js';

type Bytes = Uint8Array;

const text = (value: string): Bytes => new TextEncoder().encode(value);
const join = (...parts: Bytes[]): Bytes => Uint8Array.from(parts.flatMap((part) => [...part]));
const hash = (...parts: Bytes[]): Bytes => blake2s(join(...parts));
const mac = (key: Bytes, bytes: Bytes): Bytes => blake2s(bytes, { key, dkLen: 16 });
const le32 = (value: number): Bytes => Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
const nonce = (counter: number): Bytes => join(new Uint8Array(4), le32(counter), new Uint8Array(4));

function kdf(key: Bytes, input: Bytes, outputs: number): Bytes[] {
  const secret = hmac(blake2s, key, input);
  const out: Bytes[] = [];
  for (let i = 1; i <= outputs; i++)
    out.push(hmac(blake2s, secret, join(out.at(-1) ?? new Uint8Array(), Uint8Array.of(i))));
  return out;
}

/** Chaining key and transcript hash. */
class Transcript {
  chain = hash(text('Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s'));
  hash: Bytes;

  constructor(responder: Bytes) {
    this.hash = hash(this.chain, text('WireGuard v1 zx2c4 Jason@zx2c4.com'));
    this.mix(responder);
  }

  mix(bytes: Bytes): void {
    this.hash = hash(this.hash, bytes);
  }

  /** Feeds the chaining key; the last output is the key of the next field. */
  feed(input: Bytes, outputs: number): Bytes[] {
    const [chain, ...rest] = kdf(this.chain, input, outputs);
    this.chain = chain as Bytes;
    return rest;
  }

  ephemeral(bytes: Bytes): void {
    this.mix(bytes);
    this.feed(bytes, 1);
  }

  preshared(psk: Bytes): Bytes {
    const [tau, key] = this.feed(psk, 3) as [Bytes, Bytes];
    this.mix(tau);
    return key;
  }

  seal(key: Bytes, plain: Bytes): Bytes {
    const sealed = chacha20poly1305(key, nonce(0), this.hash).encrypt(plain);
    this.mix(sealed);
    return sealed;
  }

  open(key: Bytes, sealed: Bytes): Bytes {
    const plain = chacha20poly1305(key, nonce(0), this.hash).decrypt(sealed);
    this.mix(sealed);
    return plain;
  }
}

export class Session {
  #sent = 0;
  readonly #send: Bytes;
  readonly #receive: Bytes;
  readonly #remoteIndex: Bytes;

  constructor(send: Bytes, receive: Bytes, remoteIndex: Bytes) {
    this.#send = send;
    this.#receive = receive;
    this.#remoteIndex = remoteIndex;
  }

  seal(inner: Bytes): Bytes {
    const padded = join(inner, new Uint8Array((16 - (inner.length % 16)) % 16));
    const counter = this.#sent++;
    const sealed = chacha20poly1305(this.#send, nonce(counter)).encrypt(padded);
    return join(le32(4), this.#remoteIndex, le32(counter), le32(0), sealed);
  }

  open(message: Bytes): Bytes {
    const counter = new DataView(message.buffer, message.byteOffset).getUint32(8, true);
    return chacha20poly1305(this.#receive, nonce(counter)).decrypt(message.subarray(16));
  }
}

interface Options {
  privateKey: Bytes;
  remote: Bytes;
  presharedKey?: Bytes | undefined;
}

/** mac1, and mac2 with a cookie, over a message that ends in both. */
function sign(message: Bytes, receiver: Bytes, cookie?: Bytes): Bytes {
  const withMac1 = join(message, mac(hash(text('mac1----'), receiver), message));
  return join(withMac1, cookie ? mac(cookie, withMac1) : new Uint8Array(16));
}

class Side {
  readonly privateKey: Bytes;
  readonly publicKey: Bytes;
  readonly remote: Bytes;
  readonly presharedKey: Bytes;
  readonly index: Bytes = randomBytes(4);

  constructor({ privateKey, remote, presharedKey = new Uint8Array(32) }: Options) {
    this.privateKey = privateKey;
    this.publicKey = x25519.getPublicKey(privateKey);
    this.remote = remote;
    this.presharedKey = presharedKey;
  }

  mac2(message: Bytes, cookie: Bytes): Bytes {
    return mac(cookie, message.subarray(0, -16));
  }
}

let lastStamp = BigInt(Date.now()) * 1_000_000n;

/** TAI64N, rising by at least 1 s a call so that no two are too near for anyone. */
function stamp(): Bytes {
  lastStamp += 1_000_000_000n;
  const out = new Uint8Array(12);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, 0x400000000000000an + lastStamp / 1_000_000_000n);
  view.setUint32(8, Number(lastStamp % 1_000_000_000n));
  return out;
}

export class Initiator extends Side {
  #ephemeral: Bytes = new Uint8Array();
  #transcript = new Transcript(this.remote);

  initiation({ cookie }: { cookie?: Bytes } = {}): Bytes {
    const state = new Transcript(this.remote);
    this.#ephemeral = randomBytes(32);
    const shown = x25519.getPublicKey(this.#ephemeral);
    state.ephemeral(shown);
    const [staticKey] = state.feed(x25519.getSharedSecret(this.#ephemeral, this.remote), 2) as [Bytes];
    const sealedStatic = state.seal(staticKey, this.publicKey);
    const [stampKey] = state.feed(x25519.getSharedSecret(this.privateKey, this.remote), 2) as [Bytes];
    const sealedStamp = state.seal(stampKey, stamp());
    this.#transcript = state;
    return sign(join(le32(1), this.index, shown, sealedStatic, sealedStamp), this.remote, cookie);
  }

  finish(response: Bytes): Session {
    const state = this.#transcript;
    const theirs = response.subarray(12, 44);
    state.ephemeral(theirs);
    state.feed(x25519.getSharedSecret(this.#ephemeral, theirs), 1);
    state.feed(x25519.getSharedSecret(this.privateKey, theirs), 1);
    state.open(state.preshared(this.presharedKey), response.subarray(44, 60));
    const [send, receive] = kdf(state.chain, new Uint8Array(), 2) as [Bytes, Bytes];
    return new Session(send, receive, response.subarray(4, 8));
  }
}

export class Responder extends Side {
  respond(initiation: Bytes): { response: Bytes; session: Session } {
    const state = new Transcript(this.publicKey);
    const theirs = initiation.subarray(8, 40);
    state.ephemeral(theirs);
    const [staticKey] = state.feed(x25519.getSharedSecret(this.privateKey, theirs), 2) as [Bytes];
    const initiator = state.open(staticKey, initiation.subarray(40, 88));
    const [stampKey] = state.feed(x25519.getSharedSecret(this.privateKey, initiator), 2) as [Bytes];
    state.open(stampKey, initiation.subarray(88, 116));
    const ephemeral = randomBytes(32);
    const shown = x25519.getPublicKey(ephemeral);
    state.ephemeral(shown);
    state.feed(x25519.getSharedSecret(ephemeral, theirs), 1);
    state.feed(x25519.getSharedSecret(ephemeral, initiator), 1);
    const empty = state.seal(state.preshared(this.presharedKey), new Uint8Array());
    const [receive, send] = kdf(state.chain, new Uint8Array(), 2) as [Bytes, Bytes];
    return {
      response: sign(join(le32(2), this.index, initiation.subarray(4, 8), shown, empty), initiator),
      session: new Session(send, receive, initiation.subarray(4, 8)),
    };
  }
}

const cookieKey = (responder: Bytes): Bytes => hash(text('cookie--'), responder);
const mac1Of = (message: Bytes): Bytes => message.subarray(-32, -16);

/** A cookie reply of `responder` to `message`. */
export function cookieReply(responder: Bytes, message: Bytes, cookie: Bytes): Bytes {
  const salt = randomBytes(24);
  const sealed = xchacha20poly1305(cookieKey(responder), salt, mac1Of(message)).encrypt(cookie);
  return join(le32(3), message.subarray(4, 8), salt, sealed);
}

export function openCookie(responder: Bytes, message: Bytes, reply: Bytes): Bytes {
  return xchacha20poly1305(cookieKey(responder), reply.subarray(8, 32), mac1Of(message)).decrypt(reply.subarray(32));
}
