/**
 * Path probes with the layout of docs/protocol.md and a checksum keyed by the probe key in place of BLAKE2s: the
 * simulator has no forgers, only strangers, reflections and replays.
 */
import { digest, digest8 } from '../core/random.ts';
import { type Endpoint, familyOf } from '../net/packet.ts';
import { formatAddress, parseAddress } from './address.ts';
import { readCounter, writeCounter } from './counter.ts';
import { ReplayWindow } from './replay.ts';

export const PING = 1;
export const PONG = 2;
export const MESSAGE = 3;

const HEADER = 20;
const MAC = 16;
const MIN_BODY = 24;
/** A pong counts only while its ping is this young. */
const OUTSTANDING_MS = 30_000;

/** First byte of a ping's body: answer over the external path too. */
const DOUBLY = 1;

interface Outstanding {
  sentAt: number;
  doubly: boolean;
  /** By which ways. */
  socket: boolean;
  external: boolean;
}

export interface Probe {
  kind: number;
  seq: number;
  body: Uint8Array;
}

/** Probe state of one peer for one pair of keys. */
export class ProbeKeysState {
  readonly #send: Uint8Array;
  readonly #receive: Uint8Array;
  readonly #receiveTag: Uint8Array;
  readonly #sendTag: Uint8Array;
  readonly #window = new ReplayWindow();
  readonly #outstanding = new Map<number, Outstanding>();

  constructor(keys: { sendKey: Uint8Array; receiveKey: Uint8Array }) {
    this.#send = keys.sendKey.slice();
    this.#receive = keys.receiveKey.slice();
    this.#sendTag = digest8('probe tag', this.#send);
    this.#receiveTag = digest8('probe tag', this.#receive);
  }

  matches(datagram: Uint8Array): boolean {
    const tag = this.#receiveTag;
    for (let i = 0; i < tag.length; i++) if (datagram[4 + i] !== tag[i]) return false;
    return true;
  }

  ping(now: number, seq: number, size: number, doubly: boolean): Uint8Array {
    this.#outstanding.set(seq, { sentAt: now, doubly, socket: false, external: false });
    const body = new Uint8Array(Math.max(MIN_BODY, size - HEADER - MAC));
    if (doubly) body[0] = DOUBLY;
    return this.#seal(PING, seq, body);
  }

  message(seq: number, bytes: Uint8Array): Uint8Array {
    return this.#seal(MESSAGE, seq, bytes);
  }

  /** Short, however long its ping was: a padded one asks about its own direction. */
  pong(ping: Uint8Array, seq: number, source: Endpoint | null): Uint8Array {
    const body = new Uint8Array(MIN_BODY);
    if (source !== null) {
      body[0] = familyOf(source.ip);
      new DataView(body.buffer).setUint16(2, source.port);
      body.set(parseAddress(source.ip), 4);
    }
    new DataView(body.buffer).setUint16(20, ping.length);
    return this.#seal(PONG, seq, body);
  }

  /** Authentic and new, or null. */
  open(datagram: Uint8Array): Probe | null {
    if (datagram.length <= HEADER + MAC || datagram[2] !== 0 || datagram[3] !== 0) return null;
    const end = datagram.length - MAC;
    const mac = digest(MAC, this.#receive, datagram.subarray(0, end));
    for (let i = 0; i < MAC; i++) if (mac[i] !== datagram[end + i]) return null;
    const seq = readCounter(datagram, 12);
    const kind = datagram[1] ?? 0;
    if (kind !== PONG && !this.#window.accept(seq)) return null;
    return { kind, seq, body: datagram.subarray(HEADER, end) };
  }

  /** Round trip of the ping that this pong answers; null when none is outstanding, or was answered by this way. */
  answered(now: number, seq: number, way: 'socket' | 'external'): number | null {
    const ping = this.#outstanding.get(seq);
    if (ping === undefined || now - ping.sentAt > OUTSTANDING_MS || ping[way]) return null;
    ping[way] = true;
    if (!ping.doubly || (ping.socket && ping.external)) this.#outstanding.delete(seq);
    return now - ping.sentAt;
  }

  #seal(kind: number, seq: number, body: Uint8Array): Uint8Array {
    const out = new Uint8Array(HEADER + body.length + MAC);
    out[0] = 0xd7;
    out[1] = kind;
    out.set(this.#sendTag, 4);
    writeCounter(out, 12, seq);
    out.set(body, HEADER);
    const end = HEADER + body.length;
    out.set(digest(MAC, this.#send, out.subarray(0, end)), end);
    return out;
  }
}

export function asksDoubly(ping: Uint8Array): boolean {
  return ((ping[0] ?? 0) & DOUBLY) !== 0;
}

/** Where the peer saw our ping come from; null for an external path. */
export function observedOf(pong: Uint8Array): Endpoint | null {
  const family = pong[0];
  if (family !== 4 && family !== 6) return null;
  const port = ((pong[2] ?? 0) << 8) | (pong[3] ?? 0);
  return { ip: formatAddress(pong.subarray(4, family === 4 ? 8 : 20)), port };
}
