/**
 * CPACE-RISTR255-SHA512 of draft-irtf-cfrg-cpace-21 (sections 7.2, 8.1 and 8.3), initiator-responder order. Names are
 * the draft's: PRS password-related string, CI channel identifier, sid session identifier, AD associated data.
 */
import { ristretto255, ristretto255_hasher } from '@noble/curves/ed25519.js';
import { bytesToNumberLE } from '@noble/curves/utils.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from './bytes.ts';
import { lvCat, prependLen } from './lv.ts';

const { Point } = ristretto255;

/** G_Ristretto255.DSI. */
export const DSI = utf8ToBytes('CPaceRistretto255');
export const DSI_ISK = utf8ToBytes('CPaceRistretto255_ISK');
/** H.s_in_bytes of SHA-512. */
const S_IN_BYTES = 128;

export const SHARE_BYTES = 32;
/** Randomness that `cpaceStart` wants: enough for an unbiased scalar. */
export const RANDOM_BYTES = 64;

/** A public share and the associated data sent beside it. */
export interface Share {
  share: Uint8Array;
  ad: Uint8Array;
}

/** `generator_string` of section 8.1: the password fills the first hash block whatever its length. */
export function generatorString(prs: Uint8Array, ci: Uint8Array, sid: Uint8Array): Uint8Array {
  const zpad = Math.max(0, S_IN_BYTES - prependLen(prs).length - prependLen(DSI).length - 1);
  return lvCat(DSI, prs, new Uint8Array(zpad), ci, sid);
}

/** `G.calculate_generator` of section 8.3, encoded: the element derivation of RFC 9496 section 4.3.4 over the hash. */
export function calculateGenerator(prs: Uint8Array, ci: Uint8Array, sid: Uint8Array): Uint8Array {
  return generator(prs, ci, sid).toBytes();
}

function generator(prs: Uint8Array, ci: Uint8Array, sid: Uint8Array) {
  const derive = ristretto255_hasher.deriveToCurve;
  if (derive === undefined) throw new Error('ristretto255 has no element derivation');
  return derive(sha512(generatorString(prs, ci, sid)));
}

/** `G.sample_scalar` by uniform reduction of 64 random bytes; the 2^-252 chance of zero counts as an error. */
export function sampleScalar(random: Uint8Array): Uint8Array {
  if (random.length !== RANDOM_BYTES) throw new Error('a scalar needs 64 random bytes');
  return Point.Fn.toBytes(Point.Fn.create(bytesToNumberLE(random)));
}

/** `G.scalar_mult_vfy`: the encoded product, or null where the draft has G.I (no element, or the identity). */
export function scalarMultVfy(scalar: Uint8Array, share: Uint8Array): Uint8Array | null {
  const y = scalarOf(scalar);
  let element: InstanceType<typeof Point>;
  try {
    element = Point.fromBytes(share);
  } catch {
    return null;
  }
  if (element.is0() || y === 0n) return null;
  const product = element.multiply(y);
  return product.is0() ? null : product.toBytes();
}

function scalarOf(bytes: Uint8Array): bigint {
  return Point.Fn.create(bytesToNumberLE(bytes));
}

/** `scalar_mult(y, g)` for the generator of these inputs. */
export function publicShare(prs: Uint8Array, ci: Uint8Array, sid: Uint8Array, scalar: Uint8Array): Uint8Array {
  return generator(prs, ci, sid).multiply(scalarOf(scalar)).toBytes();
}

/** First half, on either side: a fresh scalar and its share. `random` is 64 bytes. */
export function cpaceStart(input: { prs: Uint8Array; ci: Uint8Array; sid: Uint8Array; random: Uint8Array }): {
  scalar: Uint8Array;
  share: Uint8Array;
} {
  const scalar = sampleScalar(input.random);
  return { scalar, share: publicShare(input.prs, input.ci, input.sid, scalar) };
}

/** `transcript_ir`: the initiator's share and data, then the responder's. */
export function transcriptIr(initiator: Share, responder: Share): Uint8Array {
  return concatBytes(lvCat(initiator.share, initiator.ad), lvCat(responder.share, responder.ad));
}

/** Second half: the ISK (64 bytes), or null when the protocol must abort because K is the neutral element. */
export function cpaceFinish(input: {
  sid: Uint8Array;
  scalar: Uint8Array;
  role: 'initiator' | 'responder';
  own: Share;
  peer: Share;
}): Uint8Array | null {
  const k = scalarMultVfy(input.scalar, input.peer.share);
  if (k === null) return null;
  const [initiator, responder] = input.role === 'initiator' ? [input.own, input.peer] : [input.peer, input.own];
  return sha512(concatBytes(lvCat(DSI_ISK, input.sid, k), transcriptIr(initiator, responder)));
}
