/** Pings that have left and may still be answered, of one peer. */
import type { PeerAction, Via } from './contract.ts';
import { PING_LIFETIME_MS } from './tuning.ts';

export interface Outstanding {
  /** Of the pair or path. */
  key: string;
  sentAt: number;
  /** IP packet that it was padded to; null for an ordinary one. */
  packetSize: number | null;
  /** Of a punch's ping, whose address was guessed and is no pair yet. */
  guess: Extract<Via, object> | null;
}

export interface Ping {
  key: string;
  via: Via;
  purpose: 'check' | 'probe';
  packetSize?: number;
  /** The answer is asked for over the relay too. */
  doubly?: boolean;
}

export class Pings {
  readonly #outstanding = new Map<number, Outstanding>();
  #seq = 0;

  /** Next seq of the pair's probe keys: rises over everything that is sealed with them. */
  nextSeq(): number {
    this.#seq += 1;
    return this.#seq;
  }

  send({ key, via, purpose, packetSize, doubly }: Ping, now: number): Extract<PeerAction, { type: 'ping' }> {
    const seq = this.nextSeq();
    this.#outstanding.set(seq, { key, sentAt: now, packetSize: packetSize ?? null, guess: null });
    const size = packetSize === undefined || via === 'external' ? undefined : packetSize - headersTo(via.remote.ip);
    return { type: 'ping', seq, via, purpose, ...(size === undefined ? {} : { size }), ...(doubly ? { doubly } : {}) };
  }

  /** A ping that left without this list's doing, with a seq of `nextSeq`. */
  guessed(seq: number, key: string, guess: Extract<Via, object>, now: number): void {
    this.#outstanding.set(seq, { key, sentAt: now, packetSize: null, guess });
  }

  /** The ping that a pong answers; it may be answered once more by another way. */
  of(seq: number): Outstanding | undefined {
    return this.#outstanding.get(seq);
  }

  /** The ping that a pong answers, once; undefined where it is none of these. */
  take(seq: number): Outstanding | undefined {
    const ping = this.#outstanding.get(seq);
    this.#outstanding.delete(seq);
    return ping;
  }

  forget(now: number): void {
    for (const [seq, ping] of this.#outstanding) {
      if (now - ping.sentAt <= PING_LIFETIME_MS) break;
      this.#outstanding.delete(seq);
    }
  }
}

/** IP and UDP headers in front of a datagram to this address. */
function headersTo(ip: string): number {
  return ip.includes(':') ? 48 : 28;
}
