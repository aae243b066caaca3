/** Whose turn it is: one attempt at a time, least tried first, with back-off; and how often others may ask. Pure. */
import type { PunchOutcome } from './contract.ts';
import { isElsewhere, type Networks } from './networks.ts';
import {
  ADDRESS_RETRY_MS,
  ASK_AGAIN_MS,
  BACKOFF_FIRST_MS,
  BACKOFF_MAX_MS,
  BUDGET_RETRY_MS,
  MAX_REFUSALS,
  OFF_RETRY_MS,
  REFUSED_RETRY_MS,
  START_DELAY_MS,
} from './tuning.ts';

interface History {
  /** First moment at which an attempt may begin. */
  notBefore: number;
  failures: number;
  /** Plans that nobody answered: they say nothing of the strategy. */
  silences: number;
  refusals: number;
  accepts: number;
  acceptFrom: number;
  /** When an attempt, whoever led it, ended here or was accepted. */
  triedAt: number;
  last: PunchOutcome | null;
  /** Both sides' networks when that began; null before they were known. */
  networks: Networks | null;
  /** How often others were a reason to begin anew, and from when on they are again. */
  renewals: number;
  renewFrom: number;
}

export class Schedule {
  readonly #random: (length: number) => Uint8Array;
  readonly #histories = new Map<string, History>();
  #waiting: readonly string[] = [];

  constructor(random: (length: number) => Uint8Array) {
    this.#random = random;
  }

  /** Who of these members is next; null while nobody may be. A newcomer waits a moment, for the easy ways. */
  pick(now: number, keys: readonly string[]): string | null {
    this.#waiting = keys;
    let best: { key: string; history: History } | null = null;
    for (const key of keys) {
      const history = this.#of(key, now);
      if (history.notBefore > now) continue;
      if (best === null || order(history, best.history) < 0) best = { key, history };
    }
    return best?.key ?? null;
  }

  /** When `pick` should be asked again. */
  nextAt(now: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const key of this.#waiting) {
      const { notBefore } = this.#of(key, now);
      if (notBefore > now) next = Math.min(next, notBefore);
    }
    return next;
  }

  failures(key: string): number {
    return this.#histories.get(key)?.failures ?? 0;
  }

  /** Attempts so far that have not led anywhere, whoever asked. */
  tries(key: string): number {
    const history = this.#histories.get(key);
    return history === undefined ? 0 : history.failures + history.accepts;
  }

  /** How long neither side has tried anything, ms. */
  quietMs(now: number, key: string): number {
    return now - (this.#histories.get(key)?.triedAt ?? now);
  }

  /** Nothing more will be tried until something changes. */
  gaveUp(key: string): boolean {
    return this.#histories.get(key)?.notBefore === Number.POSITIVE_INFINITY;
  }

  lastOutcome(key: string): PunchOutcome | null {
    return this.#histories.get(key)?.last ?? null;
  }

  /**
   * Other networks than those where something was tried are worth another beginning, and so are other NATs where all was given
   * up. (Else they are measured better now, and both sides go on counting what they tried.) Ever new ones count less and less.
   */
  between(now: number, key: string, networks: Networks): void {
    const history = this.#of(key, now);
    const { networks: before, last, accepts } = history;
    const tried = accepts > 0 || (last !== null && last !== 'direct');
    const other =
      before !== null && (isElsewhere(before, networks) || (this.gaveUp(key) && before.labels !== networks.labels));
    if (!tried || !other) history.networks = networks;
    else if (now >= history.renewFrom) this.#histories.set(key, renewed(history, now, networks));
  }

  ended(now: number, key: string, outcome: PunchOutcome): void {
    const history = this.#of(key, now);
    history.last = outcome;
    history.triedAt = now;
    if (outcome === 'direct')
      Object.assign(history, { failures: 0, silences: 0, refusals: 0, accepts: 0, acceptFrom: now });
    history.notBefore = now + this.#waitMs(history, outcome);
  }

  #waitMs(history: History, outcome: PunchOutcome): number {
    switch (outcome) {
      case 'direct':
        return START_DELAY_MS;
      case 'off':
        return OFF_RETRY_MS;
      case 'budget':
        return BUDGET_RETRY_MS;
      case 'silent':
        history.silences += 1;
        return this.#backOffMs(history.failures + history.silences - 1);
      case 'exhausted':
      case 'declined':
      case 'stopped':
        return this.#backOff(history);
      case 'one-way':
        return Number.POSITIVE_INFINITY;
      case 'no-address':
        return this.#refused(history, ADDRESS_RETRY_MS);
      case 'busy':
      case 'later':
        return this.#refused(history, this.#jittered(REFUSED_RETRY_MS));
    }
  }

  /** Nothing was tried, so nothing failed; but not without end. */
  #refused(history: History, waitMs: number): number {
    history.refusals += 1;
    return history.refusals % MAX_REFUSALS === 0 ? this.#backOff(history) : waitMs;
  }

  /** Doubles, and in the end says that it will not work: infinity. */
  #backOff(history: History): number {
    history.failures += 1;
    return this.#backOffMs(history.failures + history.silences - 1);
  }

  #backOffMs(before: number): number {
    const waitMs = BACKOFF_FIRST_MS * 2 ** before;
    return waitMs > BACKOFF_MAX_MS ? Number.POSITIVE_INFINITY : waitMs;
  }

  #jittered(ms: number): number {
    return ms * (1 + (this.#random(1)[0] ?? 0) / 256);
  }

  /** Whether this member may ask us again. */
  mayAccept(now: number, key: string): boolean {
    return this.#of(key, now).acceptFrom <= now;
  }

  /** Half the leader's own back-off, so that an honest one is never refused for it. */
  accepted(now: number, key: string): void {
    const history = this.#of(key, now);
    history.acceptFrom = now + Math.min(ASK_AGAIN_MS * 2 ** history.accepts, BACKOFF_MAX_MS / 2);
    history.accepts += 1;
    history.triedAt = now;
  }

  /** Forgets whoever is gone: another process of theirs begins anew. */
  retain(keys: ReadonlyMap<string, unknown>): void {
    for (const key of this.#histories.keys()) if (!keys.has(key)) this.#histories.delete(key);
  }

  /** Everything may be tried anew. */
  clear(): void {
    this.#histories.clear();
  }

  #of(key: string, now: number): History {
    let history = this.#histories.get(key);
    if (history === undefined) {
      history = begun(now);
      this.#histories.set(key, history);
    }
    return history;
  }
}

function begun(now: number): History {
  return {
    notBefore: now + START_DELAY_MS,
    failures: 0,
    silences: 0,
    refusals: 0,
    accepts: 0,
    acceptFrom: now,
    triedAt: now,
    last: null,
    networks: null,
    renewals: 0,
    renewFrom: now,
  };
}

function renewed({ renewals }: History, now: number, networks: Networks): History {
  const waitMs = Math.min(BACKOFF_FIRST_MS * 2 ** renewals, BACKOFF_MAX_MS);
  return { ...begun(now), networks, renewals: renewals + 1, renewFrom: now + waitMs };
}

function order(a: History, b: History): number {
  return a.failures - b.failures || a.notBefore - b.notBefore;
}
