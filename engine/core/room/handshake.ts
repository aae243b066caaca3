/**
 * One pair's proof of the password over one server, as a pure machine: jobs and frames in, steps out.
 *
 * 1. The initiator (lower session id) sends its CPace share.
 * 2. The responder answers with its share and its static key, sealed under the ISK: it knows the password.
 * 3. The initiator seals its static key and its proof (and its profile, to save a round trip).
 * 4. The responder seals its proof.
 * 5. Behind message 3 the initiator sends the tunnel's first message, where it holds no tunnel with the other (version 2).
 *
 * A responder that recognises a hint in message 1 answers from the shared root instead (messages 5 and 6): no CPace.
 */
import { bytesToHex, concatBytes, equalBytes, toBase64 } from '../crypto/bytes.ts';
import { type Share, transcriptIr } from '../crypto/cpace.ts';
import { expand, hmac256, label, type MemberKeys, pairId } from '../crypto/derive.ts';
import type { Primitives } from '../crypto/primitives.ts';
import type { CryptoRequest, CryptoResult, PeerKey, ServerIndex } from './contract.ts';
import { findHint, hintOf, type KnownRoot, resumeSalt } from './reconnect.ts';
import {
  aad,
  deriveGeneration,
  deriveRoot,
  deriveSession,
  type Generation,
  type Role,
  type Session,
} from './session.ts';
import * as wire from './wire.ts';

/** What a run needs of the room, read when it is needed. */
export interface HandshakeContext {
  topic: Uint8Array;
  prs: Uint8Array;
  keys: MemberKeys;
  primitives: Primitives;
  random: (length: number) => Uint8Array;
  roomTag: () => Uint8Array | null;
  /** Roots shared with members that have no session on this server, or this one (null: with all), newest first. */
  knownRoots: (pair: Pair | null) => KnownRoot[];
  /** 16 hex digits, or null. */
  generationOf: (key: PeerKey) => string | null;
  /** The profile that rides in message 3; at most 400 bytes. */
  greeting: () => Uint8Array;
  /** Blocked members, and this member itself. */
  refuses: (key: PeerKey) => boolean;
  /** True once for every share: repeated shares abort. */
  freshShare: (share: Uint8Array) => boolean;
}

/** A member that has shown that it knows the password. */
export interface Verified {
  key: PeerKey;
  publicKey: Uint8Array;
  session: Session;
  root: Uint8Array;
  /** The root that this one replaces, after a reconnect. */
  parentRoot: Uint8Array | null;
  /** Null after a reconnect. */
  generation: Generation | null;
}

export type Step =
  | { type: 'job'; request: CryptoRequest }
  | { type: 'send'; payload: Uint8Array }
  /** Initiator, message 2: install it, its own key is not proved yet. Responder, a hint: it is known, nothing is new. */
  | { type: 'verified'; verified: Verified; initiate: boolean }
  /**
   * Both password and key are proved. `keep`: both sides still hold the same older generation. `initiate`: a tunnel that is
   * installed now is begun by this side.
   */
  | { type: 'proven'; verified: Verified; keep: boolean; initiate: boolean; greeting: Uint8Array | null }
  /** `guess`: somebody had another password, or tried to break in. */
  | { type: 'failed'; guess: boolean; refused: boolean };

type State =
  | { at: 'start' }
  | { at: 'sharing'; peer: Share | null; ad: Uint8Array }
  | { at: 'awaiting-reply'; scalar: Uint8Array; own: Share; hints: KnownRoot[] }
  | { at: 'finishing'; own: Share; peer: Share; sealed: Uint8Array | null }
  | { at: 'awaiting-proof'; secret: PairSecret; own: Share; peer: Share }
  | { at: 'awaiting-confirm'; secret: PairSecret; verified: Verified; initiate: boolean; proof: ExpectedProof }
  | { at: 'awaiting-resumed'; verified: Verified }
  | { at: 'ended' };

interface ExpectedProof {
  key: Uint8Array;
  transcript: Uint8Array;
}

interface PairSecret {
  isk: Uint8Array;
  session: Session;
}

/** Both session ids (16 bytes each) on one server. */
export interface Pair {
  server: ServerIndex;
  ownSession: Uint8Array;
  session: Uint8Array;
}

/** A responder's half, made before message 1 came; for one run only. */
export type MadeShare = Extract<CryptoResult, { kind: 'cpace-start' }>;

/** 1: the responder begins the tunnel. 2: the initiator does, behind message 3. */
const VERSIONS = [1, 2];
/** Largest frame before both sides have allowed each other. */
const MAX_HINTS = 40;
const NO_GENERATION = new Uint8Array(wire.GENERATION_BYTES);
const CONFIRM_KEEP = 1;

export class Handshake {
  readonly role: Role;
  readonly #context: HandshakeContext;
  readonly #pair: Pair;
  readonly #sid: Uint8Array;
  #state: State = { at: 'start' };
  #verifiedKey: PeerKey | null = null;

  constructor(context: HandshakeContext, role: Role, pair: Pair) {
    this.role = role;
    this.#context = context;
    this.#pair = pair;
    const { ownSession, session } = pair;
    const [initiator, responder] = role === 'initiator' ? [ownSession, session] : [session, ownSession];
    this.#sid = pairId(context.topic, initiator, responder);
  }

  /** The other side could have learned whether its guess was right: running out of time counts. */
  get guessable(): boolean {
    return this.#state.at === 'awaiting-proof';
  }

  /** Whom message 2 named (initiator) or a hint (responder), while its proof is awaited. */
  get verifiedKey(): PeerKey | null {
    return this.#verifiedKey;
  }

  /** Initiator: begins. */
  begin(): Step[] {
    return this.#share(null);
  }

  /** Responder: whether a hint in message 1 is ours, so that no password is guessed in this run. */
  recognises(start: wire.Start): boolean {
    return this.#find(start) !== null;
  }

  /** Responder: the work that can be done before message 1 comes. */
  prepare(): CryptoRequest {
    return this.#startRequest();
  }

  /** Responder: message 1 came; `made`: what `prepare` asked for. */
  answer(start: wire.Start, made: MadeShare | null): Step[] {
    const resumed = this.#resume(start);
    if (resumed !== null) return resumed;
    if (negotiate(start.ad) === null) return this.#fail(false);
    if (!this.#context.freshShare(start.share)) return this.#fail(true);
    const steps = this.#share({ share: start.share, ad: start.ad });
    return made === null ? steps : this.job(made);
  }

  /** Responder: whether message 1 was sent by someone who holds the room tag. */
  isTagged(start: wire.Start): boolean {
    const tag = this.#context.roomTag();
    return tag !== null && equalBytes(start.mac, this.#tagMac(tag, start));
  }

  job(result: CryptoResult): Step[] {
    const state = this.#state;
    if (state.at === 'sharing' && result.kind === 'cpace-start') return this.#shared(state, result);
    if (state.at === 'finishing' && result.kind === 'cpace-finish') return this.#finished(state, result.isk);
    return state.at === 'ended' ? [] : this.#fail(true);
  }

  /** Frames that do not belong to the state are dropped. */
  frame(payload: Uint8Array): Step[] {
    const state = this.#state;
    const kind = payload[0];
    if (kind === wire.KIND_ABORT) return state.at === 'ended' ? [] : this.#fail(state.at === 'awaiting-proof', false);
    if (state.at === 'awaiting-reply' && kind === wire.KIND_REPLY) return this.#reply(state, payload);
    if (state.at === 'awaiting-reply' && kind === wire.KIND_RESUME) return this.#resumed(state, payload);
    if (state.at === 'awaiting-proof' && kind === wire.KIND_PROOF) return this.#proof(state, payload);
    if (state.at === 'awaiting-confirm' && kind === wire.KIND_CONFIRM) return this.#confirm(state, payload);
    if (state.at === 'awaiting-resumed' && kind === wire.KIND_RESUMED) return this.#confirmResume(state, payload);
    return [];
  }

  #share(peer: Share | null): Step[] {
    this.#state = { at: 'sharing', peer, ad: wire.encodeAd(VERSIONS, this.#context.random(32)) };
    return [{ type: 'job', request: this.#startRequest() }];
  }

  #startRequest(): CryptoRequest {
    const { prs, random } = this.#context;
    return { kind: 'cpace-start', prs, ci: this.#sid, sid: this.#sid, random: random(64) };
  }

  #shared(state: State & { at: 'sharing' }, made: { scalar: Uint8Array; share: Uint8Array }): Step[] {
    const own = { share: made.share, ad: state.ad };
    // A share that was seen before must never come back as somebody's: this registers the own one.
    this.#context.freshShare(own.share);
    if (state.peer !== null) return this.#finish(made.scalar, own, state.peer, null);
    const hints = this.#context.knownRoots(this.#pair).slice(0, MAX_HINTS);
    this.#state = { at: 'awaiting-reply', scalar: made.scalar, own, hints };
    const { primitives } = this.#context;
    const tag = this.#context.roomTag();
    const mac = tag === null ? this.#context.random(wire.MAC_BYTES) : this.#tagMac(tag, own);
    const start = { ...own, mac, hints: hints.map((known) => hintOf(primitives, known.root, this.#sid, own.ad)) };
    return [{ type: 'send', payload: wire.encodeStart(start) }];
  }

  #finish(scalar: Uint8Array, own: Share, peer: Share, sealed: Uint8Array | null): Step[] {
    this.#state = { at: 'finishing', own, peer, sealed };
    const request = { kind: 'cpace-finish', sid: this.#sid, scalar, role: this.role, own, peer } as const;
    return [{ type: 'job', request }];
  }

  #reply(state: State & { at: 'awaiting-reply' }, payload: Uint8Array): Step[] {
    const reply = wire.decodeReply(payload);
    if (reply === null || negotiate(reply.ad) === null) return this.#fail(false);
    if (!this.#context.freshShare(reply.share)) return this.#fail(true);
    return this.#finish(state.scalar, state.own, { share: reply.share, ad: reply.ad }, reply.sealed);
  }

  #finished(state: State & { at: 'finishing' }, isk: Uint8Array): Step[] {
    const secret = { isk, session: deriveSession(this.#context.primitives, isk, this.#sid, this.role) };
    const { own, peer, sealed } = state;
    if (sealed !== null) return this.#prove(secret, own, peer, sealed);
    this.#state = { at: 'awaiting-proof', secret, own, peer };
    const key = secret.session.sealer.seal(this.#context.keys.publicKey, this.#aad(wire.KIND_REPLY)).sealed;
    return [{ type: 'send', payload: wire.encodeReply({ ...own, sealed: key }) }];
  }

  /** Initiator: message 2 opens, so the other side knows the password. */
  #prove(secret: PairSecret, own: Share, peer: Share, sealed: Uint8Array): Step[] {
    const publicKey = secret.session.opener.open(1, sealed, this.#aad(wire.KIND_REPLY));
    if (publicKey === null) return this.#fail(true);
    const transcript = transcriptIr(own, peer);
    const made = this.#verify(secret, publicKey);
    if (made === null) return this.#fail(false, true, true);
    const { verified, proofKey } = made;
    const held = this.#context.generationOf(verified.key);
    const initiate = held === null && negotiate(peer.ad) === 2;
    this.#state = { at: 'awaiting-confirm', secret, verified, initiate, proof: { key: proofKey, transcript } };
    this.#verifiedKey = verified.key;
    const body = wire.encodeProofBody({
      key: this.#context.keys.publicKey,
      held: held === null ? NO_GENERATION : hexBytes(held),
      proof: this.#proofOf(proofKey, 'initiator', transcript, this.#context.keys.publicKey, publicKey),
      greeting: this.#context.greeting(),
    });
    const message = secret.session.sealer.seal(body, this.#aad(wire.KIND_PROOF)).sealed;
    return [
      { type: 'verified', verified, initiate },
      { type: 'send', payload: wire.encodeSealed(wire.KIND_PROOF, message) },
    ];
  }

  /** Responder: message 3. */
  #proof(state: State & { at: 'awaiting-proof' }, payload: Uint8Array): Step[] {
    const { secret, own, peer } = state;
    const opened = secret.session.opener.open(1, payload.subarray(1), this.#aad(wire.KIND_PROOF));
    const body = opened && wire.decodeProofBody(opened);
    if (body === null) return this.#fail(true);
    const made = this.#verify(secret, body.key);
    if (made === null) return this.#fail(false, true, true);
    const { verified, proofKey } = made;
    const transcript = transcriptIr(peer, own);
    const { publicKey } = this.#context.keys;
    const expected = this.#proofOf(proofKey, 'initiator', transcript, body.key, publicKey);
    if (!equalBytes(expected, body.proof)) return this.#fail(true);
    const held = this.#context.generationOf(verified.key);
    const keep = held !== null && held === bytesToHex(body.held);
    const initiate = negotiate(peer.ad) === 1 || !equalBytes(body.held, NO_GENERATION);
    const confirm = concatBytes(
      this.#proofOf(proofKey, 'responder', transcript, body.key, publicKey),
      Uint8Array.of(keep ? CONFIRM_KEEP : 0),
    );
    const message = secret.session.sealer.seal(confirm, this.#aad(wire.KIND_CONFIRM)).sealed;
    this.#state = { at: 'ended' };
    return [
      { type: 'proven', verified, keep, initiate, greeting: body.greeting },
      { type: 'send', payload: wire.encodeSealed(wire.KIND_CONFIRM, message) },
    ];
  }

  /** Initiator: message 4. */
  #confirm(state: State & { at: 'awaiting-confirm' }, payload: Uint8Array): Step[] {
    const { secret, verified, initiate, proof } = state;
    const confirm = secret.session.opener.open(2, payload.subarray(1), this.#aad(wire.KIND_CONFIRM));
    const own = this.#context.keys.publicKey;
    const expected = this.#proofOf(proof.key, 'responder', proof.transcript, own, verified.publicKey);
    if (confirm === null || !equalBytes(confirm.subarray(0, wire.MAC_BYTES), expected)) return this.#fail(false);
    this.#state = { at: 'ended' };
    const keep = confirm[wire.MAC_BYTES] === CONFIRM_KEEP;
    return [{ type: 'proven', verified, keep, initiate, greeting: null }];
  }

  /** Responder: the first hint that one of our roots made. */
  #resume(start: wire.Start): Step[] | null {
    const found = this.#find(start);
    if (found === null) return null;
    const random = this.#context.random(32);
    const verified = this.#resumedPeer(found.known, start.ad, random);
    const { sealed } = verified.session.sealer.seal(new Uint8Array(), this.#aad(wire.KIND_RESUME));
    this.#state = { at: 'awaiting-resumed', verified };
    this.#verifiedKey = verified.key;
    return [
      { type: 'verified', verified, initiate: false },
      { type: 'send', payload: wire.encodeResume({ hint: found.hint, random, sealed }) },
    ];
  }

  #find(start: wire.Start) {
    const found = findHint(this.#context.primitives, start, this.#sid, this.#context.knownRoots(null));
    return found === null || this.#context.refuses(found.known.key) ? null : found;
  }

  /** Initiator: the answer to a hint. */
  #resumed(state: State & { at: 'awaiting-reply' }, payload: Uint8Array): Step[] {
    const resume = wire.decodeResume(payload);
    const known = resume === null ? undefined : state.hints[resume.hint];
    if (resume === null || known === undefined) return this.#fail(false);
    const verified = this.#resumedPeer(known, state.own.ad, resume.random);
    if (verified.session.opener.open(1, resume.sealed, this.#aad(wire.KIND_RESUME)) === null) return this.#fail(false);
    const { sealed } = verified.session.sealer.seal(new Uint8Array(), this.#aad(wire.KIND_RESUMED));
    this.#state = { at: 'ended' };
    return [
      { type: 'proven', verified, keep: true, initiate: false, greeting: null },
      { type: 'send', payload: wire.encodeSealed(wire.KIND_RESUMED, sealed) },
    ];
  }

  #confirmResume(state: State & { at: 'awaiting-resumed' }, payload: Uint8Array): Step[] {
    const { verified } = state;
    const opened = verified.session.opener.open(1, payload.subarray(1), this.#aad(wire.KIND_RESUMED));
    if (opened === null) return this.#fail(false);
    this.#state = { at: 'ended' };
    return [{ type: 'proven', verified, keep: true, initiate: false, greeting: null }];
  }

  #resumedPeer(known: KnownRoot, ad: Uint8Array, random: Uint8Array): Verified {
    const { primitives } = this.#context;
    const salt = resumeSalt(this.#sid, ad, random);
    return {
      key: known.key,
      publicKey: known.publicKey,
      session: deriveSession(primitives, known.root, salt, this.role),
      root: deriveRoot(primitives, known.root, salt),
      parentRoot: known.root,
      generation: null,
    };
  }

  /** Null for a key that we do not want, or that makes no shared secret. */
  #verify(secret: PairSecret, publicKey: Uint8Array): { verified: Verified; proofKey: Uint8Array } | null {
    const key = toBase64(publicKey);
    const { primitives, keys } = this.#context;
    const shared = this.#context.refuses(key) ? null : primitives.x25519(keys.privateKey, publicKey);
    if (shared === null) return null;
    const { isk, session } = secret;
    const generation = deriveGeneration(primitives, isk, this.#sid, this.role);
    const root = deriveRoot(primitives, isk, this.#sid);
    return {
      verified: { key, publicKey, session, root, parentRoot: null, generation },
      proofKey: expand(primitives, concatBytes(isk, shared), this.#sid, 'proof'),
    };
  }

  #proofOf(key: Uint8Array, role: Role, transcript: Uint8Array, initiator: Uint8Array, responder: Uint8Array) {
    return hmac256(this.#context.primitives, key, label(role), transcript, initiator, responder);
  }

  #tagMac(tag: Uint8Array, start: Share): Uint8Array {
    return hmac256(this.#context.primitives, tag, label('newcomer'), this.#sid, start.share, start.ad);
  }

  #aad(kind: number): Uint8Array {
    return aad(this.#context.topic, kind);
  }

  /** The other side is told that nothing will come, which it could see for itself a few seconds later. */
  #fail(guess: boolean, tell = true, refused = false): Step[] {
    this.#state = { at: 'ended' };
    const failed = { type: 'failed', guess, refused } as const;
    return tell && !refused ? [{ type: 'send', payload: Uint8Array.of(wire.KIND_ABORT) }, failed] : [failed];
  }
}

/** The highest version that both speak, or null. */
function negotiate(ad: Uint8Array): number | null {
  const offered = wire.adVersions(ad);
  return VERSIONS.findLast((version) => offered.includes(version)) ?? null;
}

/** What the higher session id of a pair shows to the lower one, so that it begins as with a member. */
export function readyMac(
  context: HandshakeContext,
  tag: Uint8Array,
  lower: Uint8Array,
  higher: Uint8Array,
): Uint8Array {
  return hmac256(context.primitives, tag, label('ready'), pairId(context.topic, lower, higher));
}

function hexBytes(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}
