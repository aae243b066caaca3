/**
 * The exchange of candidates. Signals may be lost and may pass each other: every list carries a revision, replaces the
 * last one, and is sent again until it is acknowledged.
 */
import type { NatReport } from '../../../protocol/nat.ts';
import type { Candidate, PeerMessage } from '../../../protocol/peer.ts';
import { RESEND_FIRST_MS, RESEND_MAX_MS } from './tuning.ts';

type CandidatesMessage = Extract<PeerMessage, { t: 'candidates' }>;

export class CandidateExchange {
  #own: CandidatesMessage | null = null;
  #acknowledged = true;
  #sendAt = Number.POSITIVE_INFINITY;
  #backoffMs = RESEND_FIRST_MS;
  #theirRevision = -1;

  /** Whether the peer was ever told anything. */
  get offered(): boolean {
    return this.#own !== null;
  }

  /** Own list or report changed. */
  offer(candidates: Candidate[], nat: NatReport | null, now: number): void {
    const revision = (this.#own?.revision ?? 0) + 1;
    this.#own = { t: 'candidates', revision, candidates, nat };
    this.resend(now);
  }

  /** Says the list again from the start: the peer may have forgotten it, or the way to it is new. */
  resend(now: number): void {
    if (this.#own === null) return;
    this.#acknowledged = false;
    this.#backoffMs = RESEND_FIRST_MS;
    this.#sendAt = now;
  }

  /** The way to the peer came back: what it has not acknowledged goes out at once. */
  hurry(now: number): void {
    if (!this.#acknowledged) this.resend(now);
  }

  acknowledged(revision: number): void {
    if (revision !== this.#own?.revision) return;
    this.#acknowledged = true;
    this.#sendAt = Number.POSITIVE_INFINITY;
  }

  /** True for a list that is newer than what is known. Every list is acknowledged, also repeated ones. */
  accept(message: CandidatesMessage): boolean {
    if (message.revision <= this.#theirRevision) return false;
    this.#theirRevision = message.revision;
    return true;
  }

  nextAt(): number {
    return this.#sendAt;
  }

  due(now: number): PeerMessage[] {
    if (this.#own === null || this.#sendAt > now) return [];
    this.#sendAt = now + this.#backoffMs;
    this.#backoffMs = Math.min(2 * this.#backoffMs, RESEND_MAX_MS);
    return [this.#own];
  }
}
