/** One peer's WireGuard: handshake schedule, sessions, rekey and keepalive (paper, section 6). */
import { cut } from './fragments.ts';
import { ReplayWindow } from './replay.ts';
import {
  decodeResponse,
  encodeData,
  encodeInitiation,
  encodeResponse,
  handshakeProof,
  handshakeSecret,
  type Initiation,
  KEEPALIVE_MS,
  openData,
  REJECT_AFTER_MS,
  REKEY_AFTER_MS,
  REKEY_ATTEMPT_MS,
  REKEY_TIMEOUT_MS,
  type Session,
} from './wireguard.ts';

/** Initiations while no session exists: one lost packet must not cost 5 s. */
const SCHEDULE_MS = [0, 250, 750, 1_750];
/** Pauses before a session's first packet is repeated: what makes it stand for the other side may be lost. */
const CONFIRM_AFTER_MS = [250, 1_000, 4_000];
/** Packets that wait for a session. */
const STAGED = 128;
/** A responder takes initiations this far apart. */
const INITIATION_SPACING_MS = 20;

export interface TunnelIo {
  ownKey: string;
  peerKey: string;
  now(): number;
  after(ms: number, callback: () => void): () => void;
  /** A sealed packet along the peer's path. */
  send(bytes: Uint8Array): void;
  ephemeral(): Uint8Array;
  /** A receiver index of the device that leads here. */
  index(): number;
  handshakeDone(): void;
  deliver(payload: Uint8Array): void;
  /** Longest inner packet that the path carries. */
  limit(): number;
}

export class Tunnel {
  presharedKey = '';
  initiate = true;
  lastHandshakeAt: number | null = null;
  lastReceivedAt: number | null = null;
  readonly #io: TunnelIo;
  #current: Session | null = null;
  #previous: Session | null = null;
  /** As responder: not confirmed by the initiator's first data yet. */
  #next: Session | null = null;
  #outgoing: Initiation | null = null;
  #newestTimestamp = -1;
  #newestInitiationAt = Number.NEGATIVE_INFINITY;
  #staged: Uint8Array[] = [];
  #identification = 0;
  #cancelRetry: (() => void) | null = null;
  #retryUntil = 0;
  #cancelKeepalive: (() => void) | null = null;
  #cancelStale: (() => void) | null = null;
  /** Of a session that we began, nothing has come under it. */
  #unconfirmed = false;
  #cancelConfirm: (() => void) | null = null;

  constructor(io: TunnelIo) {
    this.#io = io;
  }

  get established(): boolean {
    return this.#usable(this.#current);
  }

  /** A path was set, another one or (with another duplicate) the same. Until a session exists initiations repeat on the fast schedule. */
  pathSet(moved: boolean): void {
    if (this.established && this.#unconfirmed && moved) this.#confirm(0);
    const idle = this.#cancelRetry === null;
    if (!this.established && this.initiate && (moved || idle)) this.#begin(Number.POSITIVE_INFINITY);
  }

  sendData(payload: Uint8Array): void {
    const session = this.#current;
    if (session === null || !this.#usable(session)) {
      if (this.#staged.length === STAGED) this.#staged.shift();
      this.#staged.push(payload);
      this.#beginForData();
      return;
    }
    this.#transmit(session, payload);
  }

  onInitiation(message: Initiation): void {
    const now = this.#io.now();
    if (message.timestamp <= this.#newestTimestamp) return;
    if (now - this.#newestInitiationAt < INITIATION_SPACING_MS) return;
    this.#newestTimestamp = message.timestamp;
    this.#newestInitiationAt = now;
    this.lastReceivedAt = now;
    const ephemeral = this.#io.ephemeral();
    const secret = handshakeSecret(this.presharedKey, message, ephemeral);
    this.#next = this.#session(this.#io.index(), message.senderIndex, secret, false);
    this.#io.send(
      encodeResponse({
        senderIndex: this.#next.localIndex,
        receiverIndex: message.senderIndex,
        ephemeral,
        proof: handshakeProof(secret),
      }),
    );
  }

  /** False when it answers nothing of ours or the preshared keys differ. */
  onResponse(bytes: Uint8Array): boolean {
    const response = decodeResponse(bytes);
    const outgoing = this.#outgoing;
    if (outgoing === null || response.receiverIndex !== outgoing.senderIndex) return false;
    const secret = handshakeSecret(this.presharedKey, outgoing, response.ephemeral);
    if (!handshakeProof(secret).every((byte, i) => response.proof[i] === byte)) return false;
    this.#outgoing = null;
    this.#stopRetry();
    this.#promote(this.#session(outgoing.senderIndex, response.senderIndex, secret, true));
    this.#unconfirmed = true;
    if (this.#staged.length === 0) this.#confirm(0);
    else {
      this.#flush();
      this.#confirmLater(0);
    }
    return true;
  }

  /** False when no session opens it: unknown, old, forged, or a copy. */
  onData(index: number, bytes: Uint8Array): boolean {
    const session = [this.#current, this.#next, this.#previous].find((s) => s?.localIndex === index);
    if (!session || this.#io.now() - session.createdAt > REJECT_AFTER_MS) return false;
    const payload = openData(session, bytes);
    if (payload === null) return false;
    if (session === this.#next) {
      this.#next = null;
      this.#stopRetry();
      this.#promote(session);
      this.#flush();
    }
    if (session === this.#current) this.#unconfirmed = false;
    this.#received(session, payload.length > 0);
    if (payload.length > 0) this.#io.deliver(payload);
    return true;
  }

  close(): void {
    this.#stopRetry();
    this.#cancelKeepalive?.();
    this.#cancelStale?.();
    this.#cancelConfirm?.();
  }

  #confirm(count: number): void {
    if (!this.#unconfirmed || !this.established) return;
    this.#transmit(this.#current as Session, new Uint8Array(0));
    this.#confirmLater(count);
  }

  #confirmLater(count: number): void {
    this.#cancelConfirm?.();
    this.#cancelConfirm = null;
    const wait = CONFIRM_AFTER_MS[count];
    if (wait !== undefined) this.#cancelConfirm = this.#io.after(wait, () => this.#confirm(count + 1));
  }

  #promote(session: Session): void {
    this.#previous = this.#current;
    this.#current = session;
    this.lastHandshakeAt = this.#io.now();
    this.lastReceivedAt = this.#io.now();
    this.#io.handshakeDone();
  }

  #flush(): void {
    const staged = this.#staged;
    this.#staged = [];
    for (const payload of staged) this.sendData(payload);
  }

  #transmit(session: Session, payload: Uint8Array): void {
    this.#cancelKeepalive?.();
    this.#cancelKeepalive = null;
    const limit = this.#io.limit();
    for (const piece of cut(payload, limit, ++this.#identification)) this.#io.send(encodeData(session, piece, limit));
    const age = this.#io.now() - session.createdAt;
    if (session.initiator && age > REKEY_AFTER_MS) this.#beginForData();
    if (payload.length > 0 && this.#cancelStale === null) {
      this.#cancelStale = this.#io.after(KEEPALIVE_MS + REKEY_TIMEOUT_MS, () => {
        this.#cancelStale = null;
        this.#beginForData();
      });
    }
  }

  #received(session: Session, data: boolean): void {
    const now = this.#io.now();
    this.lastReceivedAt = now;
    this.#cancelStale?.();
    this.#cancelStale = null;
    if (data && this.#cancelKeepalive === null) {
      this.#cancelKeepalive = this.#io.after(KEEPALIVE_MS, () => {
        this.#cancelKeepalive = null;
        if (this.established) this.#transmit(this.#current as Session, new Uint8Array(0));
      });
    }
    const late = REJECT_AFTER_MS - KEEPALIVE_MS - REKEY_TIMEOUT_MS;
    if (session.initiator && now - session.createdAt > late) this.#beginForData();
  }

  #beginForData(): void {
    if (this.#cancelRetry === null) this.#begin(this.#io.now() + REKEY_ATTEMPT_MS);
  }

  #begin(until: number): void {
    this.#stopRetry();
    this.#retryUntil = until;
    this.#attempt(0);
  }

  #attempt(count: number): void {
    const now = this.#io.now();
    this.#outgoing = {
      senderIndex: this.#io.index(),
      from: this.#io.ownKey,
      to: this.#io.peerKey,
      // Two attempts of one instant still differ.
      timestamp: now + 1 + count / 1_000,
      ephemeral: this.#io.ephemeral(),
    };
    this.#io.send(encodeInitiation(this.#outgoing));
    const next = SCHEDULE_MS[count + 1];
    const wait = next === undefined ? REKEY_TIMEOUT_MS : next - (SCHEDULE_MS[count] as number);
    this.#cancelRetry = this.#io.after(wait, () => {
      this.#cancelRetry = null;
      if (this.#io.now() < this.#retryUntil) this.#attempt(count + 1);
    });
  }

  #stopRetry(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = null;
  }

  #session(localIndex: number, remoteIndex: number, secret: Uint8Array, initiator: boolean): Session {
    const createdAt = this.#io.now();
    return { localIndex, remoteIndex, secret, initiator, createdAt, window: new ReplayWindow(), sendCounter: 0 };
  }

  #usable(session: Session | null): boolean {
    return session !== null && this.#io.now() - session.createdAt < REJECT_AFTER_MS;
  }
}
