/** STUN Binding transactions in flight (RFC 8489, 6.2.1): sends, repeats, answers, and giving up. */
import { encodeBindingRequest } from '../stun/binding.ts';
import type { Change } from '../stun/change-request.ts';
import { TRANSACTION_ID_BYTES } from '../stun/message.ts';
import type { Endpoint } from './contract.ts';
import { GIVE_UP_MS, HAIRPIN_GIVE_UP_MS, HAIRPIN_OFFSETS_MS, SEND_OFFSETS_MS } from './tuning.ts';

/** `again`: the primary once more, whose answer must be the same. */
export type Target = 'primary' | 'again' | 'second-port' | 'alternate';
export type Purpose =
  | { test: 'mapping'; server: number; target: Target }
  | { test: 'filtering'; change: 'none' | 'port' | 'both' }
  | { test: 'hairpin' }
  | { test: 'fresh'; index: number }
  /** `moved`: what another recheck just saw, to be seen twice. */
  | { test: 'recheck'; server: number; moved: Endpoint | null };

export interface Transaction {
  purpose: Purpose;
  socket: number;
  to: Endpoint;
  startedAt: number;
  id: string;
  bytes: Uint8Array;
  sent: number;
}

const CHANGES: Record<'none' | 'port' | 'both', Change> = {
  none: { ip: false, port: false },
  port: { ip: false, port: true },
  both: { ip: true, port: true },
};

export class Transactions {
  readonly #random: (length: number) => Uint8Array;
  readonly #inFlight = new Map<string, Transaction>();

  constructor(random: (length: number) => Uint8Array) {
    this.#random = random;
  }

  start(purpose: Purpose, socket: number, to: Endpoint, now: number): void {
    const transactionId = this.#random(TRANSACTION_ID_BYTES);
    const change = purpose.test === 'filtering' ? CHANGES[purpose.change] : CHANGES.none;
    const bytes = encodeBindingRequest({ transactionId, change });
    const id = transactionKey(transactionId);
    this.#inFlight.set(id, { purpose, socket, to, startedAt: now, id, bytes, sent: 0 });
  }

  find(id: Uint8Array): Transaction | undefined {
    return this.#inFlight.get(transactionKey(id));
  }

  finish(transaction: Transaction): void {
    this.#inFlight.delete(transaction.id);
  }

  clear(): void {
    this.#inFlight.clear();
  }

  pending(test: Purpose['test']): Transaction[] {
    return [...this.#inFlight.values()].filter((transaction) => transaction.purpose.test === test);
  }

  /** What leaves now, each transaction at most once. */
  due(now: number): Transaction[] {
    const due: Transaction[] = [];
    for (const transaction of this.#inFlight.values()) {
      const offsets = offsetsOf(transaction);
      const turn = offsets.filter((offset) => transaction.startedAt + offset <= now).length;
      if (turn <= transaction.sent) continue;
      transaction.sent = turn;
      due.push(transaction);
    }
    return due;
  }

  /** Takes out what got no answer. */
  expired(now: number): Transaction[] {
    const expired = [...this.#inFlight.values()].filter((transaction) => endOf(transaction) <= now);
    for (const transaction of expired) this.#inFlight.delete(transaction.id);
    return expired;
  }

  nextAt(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const transaction of this.#inFlight.values()) {
      const offset = offsetsOf(transaction)[transaction.sent];
      next = Math.min(next, offset === undefined ? endOf(transaction) : transaction.startedAt + offset);
    }
    return next;
  }
}

function offsetsOf(transaction: Transaction): readonly number[] {
  return transaction.purpose.test === 'hairpin' ? HAIRPIN_OFFSETS_MS : SEND_OFFSETS_MS;
}

function endOf(transaction: Transaction): number {
  return transaction.startedAt + (transaction.purpose.test === 'hairpin' ? HAIRPIN_GIVE_UP_MS : GIVE_UP_MS);
}

function transactionKey(id: Uint8Array): string {
  let text = '';
  for (const byte of id) text += byte.toString(16).padStart(2, '0');
  return text;
}
