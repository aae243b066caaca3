/**
 * What members are called here. A nickname belongs to the key that had it first; another holder of the same name, or of
 * one that looks like it, is shown with the beginning of its key.
 */
import { bytesToHex, keyFromBase64, utf8ToBytes } from '../crypto/bytes.ts';
import { skeleton } from '../crypto/skeleton.ts';
import type { PeerKey } from './contract.ts';

const MAX_PINS = 1_000;
const NICK_BYTES = 64;

export interface Pin {
  key: PeerKey;
  nick: string;
}

/** NFC without controls and line breaks, trimmed, at most 64 bytes; empty when nothing is left. */
export function cleanNick(nick: string): string {
  let clean = '';
  for (const letter of nick
    .normalize('NFC')
    .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '')
    .replace(/\s+/gu, ' ')
    .trim()) {
    if (utf8ToBytes(clean + letter).length > NICK_BYTES) break;
    clean += letter;
  }
  return clean.trim();
}

/** `name` with the beginning of the key behind it. */
function withKey(nick: string, key: PeerKey, digits: number): string {
  const short = cleanNick(nick.slice(0, 40));
  return `${short}-${bytesToHex(keyFromBase64(key) ?? new Uint8Array(32)).slice(0, digits)}`;
}

export type NickNotice = 'nick-taken' | 'known-nick-new-key';

export class Nicks {
  readonly #ownKey: PeerKey;
  readonly #own: string;
  /** Oldest first. */
  #pins: Pin[];
  readonly #shown = new Map<PeerKey, string>();

  constructor(ownKey: PeerKey, own: string, pins: Pin[]) {
    this.#ownKey = ownKey;
    this.#own = own;
    this.#pins = pins.slice(-MAX_PINS);
  }

  get pins(): Pin[] {
    return this.#pins;
  }

  /** The name to show, or the remembered one, or one made of the key. */
  shown(key: PeerKey): string {
    const pinned = this.#pins.find((pin) => pin.key === key)?.nick;
    return this.#shown.get(key) ?? pinned ?? withKey('player', key, 4);
  }

  /** Whether it told its name, now or in an earlier session. */
  knows(key: PeerKey): boolean {
    return this.#shown.has(key) || this.#pins.some((pin) => pin.key === key);
  }

  /** A proven member tells its name. `present`: other members that are here now. */
  meet(key: PeerKey, nick: string, present: PeerKey[]): { pinned: boolean; notice: NickNotice | null } {
    const clean = cleanNick(nick);
    const name = clean === '' ? withKey('player', key, 4) : clean;
    const looks = skeleton(name);
    const here =
      this.#own !== '' && skeleton(this.#own) === looks ? this.#ownKey : this.#presentHolder(key, looks, present);
    const pinnedTo = this.#pins.find((pin) => pin.key !== key && skeleton(pin.nick) === looks)?.key ?? null;
    const ownPin = this.#pins.find((pin) => pin.key === key);
    // Who was pinned by this name before the other came keeps it.
    const first = ownPin !== undefined && skeleton(ownPin.nick) === looks && here !== this.#ownKey;
    const taken = !first && (here !== null || pinnedTo !== null);
    this.#shown.set(key, taken ? this.#unique(name, key) : name);
    const pinned = this.#pin(key, name, ownPin, taken);
    if (!taken) return { pinned, notice: null };
    return { pinned, notice: here === null ? 'known-nick-new-key' : 'nick-taken' };
  }

  #presentHolder(key: PeerKey, looks: string, present: PeerKey[]): PeerKey | null {
    return present.find((other) => other !== key && skeleton(this.#shown.get(other) ?? '') === looks) ?? null;
  }

  /** More digits where 4 would make two members look alike again. */
  #unique(name: string, key: PeerKey): string {
    for (let digits = 4; digits < 64; digits += 4) {
      const shown = withKey(name, key, digits);
      const clash = [...this.#shown].some(([other, text]) => other !== key && skeleton(text) === skeleton(shown));
      if (!clash) return shown;
    }
    return withKey(name, key, 64);
  }

  /** As first seen: a member that changes its name keeps its first pin, and a taken name is pinned to nobody else. */
  #pin(key: PeerKey, name: string, ownPin: Pin | undefined, taken: boolean): boolean {
    if (ownPin !== undefined || taken) return false;
    this.#pins = [...this.#pins, { key, nick: name }].slice(-MAX_PINS);
    return true;
  }
}
