/** One path that has answered: its round-trip time, jitter, loss, and whether it still lives. */
import type { PathKind } from '../../../protocol/app.ts';
import type { Via } from './contract.ts';
import { PathMtu } from './mtu.ts';
import {
  DEAD_AFTER_MS,
  DUPLICATE_AFTER_OVERDUE,
  FIRST_DEADLINE_MS,
  LOSS_AFTER_CALM,
  LOSS_AFTER_DEATH,
  LOSS_MEAN_PROBES,
  LOSS_WINDOW,
  MIN_DEADLINE_MS,
  MIN_VARIANCE_TERM_MS,
  WARM_UP_PROBE_MS,
} from './tuning.ts';

interface Probe {
  seq: number;
  sentAt: number;
  deadline: number;
  state: 'pending' | 'overdue' | 'answered';
}

export class PathRecord {
  readonly key: string;
  readonly via: Via;
  readonly kind: PathKind;
  readonly mtu = new PathMtu();
  /** Two texts, the same on both sides, that order paths of equal worth; empty until an answer named both ends. */
  tieBreak = '';
  alive = true;
  /** Since when it is alive without a break. */
  aliveSince: number;
  lastProofAt: number | null = null;
  lastProbeAt = Number.NEGATIVE_INFINITY;
  /** Probes sent and answered since it came to life. */
  probes = 0;
  samples = 0;
  srttMs: number | null = null;
  rttvarMs: number | null = null;
  /** Overdue in a row since the last proof, and when the first of them left. */
  overdue = 0;
  silentSince: number | null = null;
  /** Interface, keys or addresses changed: the next answer counts, older ones do not. */
  mustProve = false;
  /** Until then it is one that was left for being clearly worse than another; see choice.ts. */
  avoidedUntil = Number.NEGATIVE_INFINITY;
  /** Until then it does not take over from a path that works; see hold.ts. */
  heldUntil = Number.NEGATIVE_INFINITY;
  #meanLoss = 0;
  #diedInUse = false;
  readonly #probes: Probe[] = [];

  constructor(key: string, via: Via, kind: PathKind, now: number) {
    this.key = key;
    this.via = via;
    this.kind = kind;
    this.aliveSince = now;
  }

  /** Retransmission timeout of RFC 6298, 2.3, under the floors of this use. */
  get timeoutMs(): number {
    if (this.srttMs === null || this.rttvarMs === null) return FIRST_DEADLINE_MS;
    return Math.max(MIN_DEADLINE_MS, this.srttMs + Math.max(4 * this.rttvarMs, MIN_VARIANCE_TERM_MS));
  }

  get suspect(): boolean {
    return this.mustProve || this.overdue >= DUPLICATE_AFTER_OVERDUE;
  }

  /** Over the last 32 probes that were judged, for people. */
  get lossPct(): number | null {
    let judged = 0;
    let overdue = 0;
    for (const { state } of this.#probes) {
      if (state !== 'pending') judged += 1;
      if (state === 'overdue') overdue += 1;
    }
    return judged === 0 ? null : (100 * overdue) / judged;
  }

  /** The slow mean, for decisions, one way: a probe goes there and back, a game's packet only there. */
  get meanLossPct(): number {
    return 100 * (1 - Math.sqrt(1 - this.#meanLoss));
  }

  get diedInUse(): boolean {
    return this.#diedInUse;
  }

  sent(seq: number, now: number): void {
    this.lastProbeAt = now;
    this.probes += 1;
    this.#probes.push({ seq, sentAt: now, deadline: now + this.timeoutMs, state: 'pending' });
    if (this.#probes.length > LOSS_WINDOW) this.#probes.shift();
  }

  /** Something hints that the path may have changed: probe now, unless a probe left just now. */
  hurry(now: number): void {
    if (now - this.lastProbeAt > WARM_UP_PROBE_MS) this.lastProbeAt = Number.NEGATIVE_INFINITY;
  }

  /** An answer to a ping of ours, sent at `sentAt`. */
  answered(seq: number, sentAt: number, rttMs: number, at: number): void {
    const probe = this.#probes.find((candidate) => candidate.seq === seq);
    if (probe !== undefined) {
      // A late answer takes back the verdict.
      this.#meanLoss = Math.max(
        0,
        this.#meanLoss - (probe.state === 'overdue' ? 1 : this.#meanLoss) / LOSS_MEAN_PROBES,
      );
      probe.state = 'answered';
      if (this.#meanLoss > LOSS_AFTER_CALM && this.#isCalm()) this.#meanLoss = LOSS_AFTER_CALM;
    }
    this.samples += 1;
    this.#measure(rttMs);
    this.lastProofAt = Math.max(at, this.lastProofAt ?? at);
    this.overdue = this.#probes.filter((other) => other.state === 'overdue' && other.sentAt > sentAt).length;
    if (this.overdue === 0) this.silentSince = null;
    this.mustProve = false;
  }

  /** Nothing of a whole window was lost. */
  #isCalm(): boolean {
    return this.#probes.length === LOSS_WINDOW && this.#probes.every(({ state }) => state !== 'overdue');
  }

  /** RFC 6298, 2.2 and 2.3. */
  #measure(rttMs: number): void {
    if (this.srttMs === null || this.rttvarMs === null) {
      this.srttMs = rttMs;
      this.rttvarMs = rttMs / 2;
      return;
    }
    this.rttvarMs = 0.75 * this.rttvarMs + 0.25 * Math.abs(this.srttMs - rttMs);
    this.srttMs = 0.875 * this.srttMs + 0.125 * rttMs;
  }

  /** Judges probes whose deadline has passed. */
  expire(now: number): void {
    for (const probe of this.#probes) {
      if (probe.state !== 'pending' || probe.deadline > now) continue;
      probe.state = 'overdue';
      this.#meanLoss += (1 - this.#meanLoss) / LOSS_MEAN_PROBES;
      // An older probe than the last proof may be lost without the path being silent.
      if (this.lastProofAt !== null && probe.sentAt < this.lastProofAt) continue;
      this.overdue += 1;
      this.silentSince ??= probe.sentAt;
    }
  }

  /** Next moment at which `expire` or `dead` may change its answer. */
  nextDeadline(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const probe of this.#probes) if (probe.state === 'pending') next = Math.min(next, probe.deadline);
    if (this.silentSince !== null) next = Math.min(next, this.deadAt());
    return next;
  }

  /** Never for the relay: its own connection tells when it is gone. */
  deadAt(): number {
    if (this.via === 'external' || this.silentSince === null || this.overdue < DUPLICATE_AFTER_OVERDUE)
      return Number.POSITIVE_INFINITY;
    return this.silentSince + DEAD_AFTER_MS;
  }

  /** The process was blocked: probes in flight are judged no earlier than `until`. */
  grant(until: number): void {
    for (const probe of this.#probes) {
      if (probe.state === 'pending') probe.deadline = Math.max(probe.deadline, until);
    }
    if (this.silentSince !== null) this.silentSince = Math.max(this.silentSince, until - DEAD_AFTER_MS);
  }

  /** Every proof so far is void: new network, or new keys that answer no old probe. */
  distrust(): void {
    this.mtu.restart();
    this.mustProve = true;
    this.overdue = 0;
    this.silentSince = null;
    this.lastProbeAt = Number.NEGATIVE_INFINITY;
    for (let i = this.#probes.length - 1; i >= 0; i--) {
      if (this.#probes[i]?.state === 'pending') this.#probes.splice(i, 1);
    }
  }

  died(inUse: boolean): void {
    this.alive = false;
    if (!inUse) return;
    this.#diedInUse = true;
    this.#meanLoss = Math.min(this.#meanLoss, LOSS_AFTER_DEATH);
  }

  /** A pong came on a dead path. */
  revived(at: number): void {
    this.mtu.restart();
    this.alive = true;
    this.aliveSince = at;
    this.probes = 0;
    this.samples = 0;
    this.srttMs = null;
    this.rttvarMs = null;
    this.overdue = 0;
    this.silentSince = null;
    this.mustProve = false;
    // Its hold stands for what it did (hold.ts); a line that loses a little was good enough before.
    this.avoidedUntil = Number.NEGATIVE_INFINITY;
    this.#probes.length = 0;
  }
}
