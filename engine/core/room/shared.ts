/** What the parts of one room core have in common: the clock of the event in hand, and the way out. */
import type { MemberKeys } from '../crypto/derive.ts';
import type { CryptoRequest, CryptoResult, PeerKey, RoomAction, RoomNotice, ServerIndex } from './contract.ts';
import { Pacer } from './pacer.ts';

export class Shared {
  /** Clock of the event in hand, ms. */
  now = 0;
  readonly topic: Uint8Array;
  readonly keys: MemberKeys;
  readonly publicKey: PeerKey;
  readonly random: (length: number) => Uint8Array;
  readonly pacer = new Pacer();
  #actions: RoomAction[] = [];
  #jobs = new Map<number, (result: CryptoResult) => void>();
  #nextJob = 1;
  #memoryChanged = false;

  constructor(parts: {
    topic: Uint8Array;
    keys: MemberKeys;
    publicKey: PeerKey;
    random: (length: number) => Uint8Array;
  }) {
    this.topic = parts.topic;
    this.keys = parts.keys;
    this.publicKey = parts.publicKey;
    this.random = parts.random;
  }

  emit(action: RoomAction): void {
    this.#actions.push(action);
  }

  /** A signal frame, at the pace of its server; those of one event leave in order, behind what was emitted before. */
  signal(server: ServerIndex, member: string, payload: Uint8Array): void {
    this.pacer.add(server, { member, payload });
    this.flushSignals();
  }

  /** `all`: the connections end, nothing can wait. */
  flushSignals(all = false): void {
    for (const { server, member, payload } of this.pacer.take(this.now, all)) {
      this.emit({ type: 'server-frame', server, member, payload });
    }
  }

  notice(code: RoomNotice, about: { nick?: string; peer?: PeerKey } = {}): void {
    this.emit({ type: 'notice', code, ...about });
  }

  /** Sends slow work out; `done` is called with its result in a later event. */
  job(request: CryptoRequest, done: (result: CryptoResult) => void): void {
    const job = this.#nextJob++;
    this.#jobs.set(job, done);
    this.emit({ type: 'crypto', job, request });
  }

  finishJob(job: number, result: CryptoResult): void {
    const done = this.#jobs.get(job);
    this.#jobs.delete(job);
    done?.(result);
  }

  /** Something that must survive a restart has changed. */
  changed(): void {
    this.#memoryChanged = true;
  }

  takeChanged(): boolean {
    const changed = this.#memoryChanged;
    this.#memoryChanged = false;
    return changed;
  }

  takeActions(): RoomAction[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  /** A number in [0, 1) from the room's randomness. */
  chance(): number {
    const [a = 0, b = 0, c = 0] = this.random(3);
    return (a * 65_536 + b * 256 + c) / 2 ** 24;
  }

  /** Fisher-Yates. */
  shuffle<T>(items: T[]): T[] {
    const out = [...items];
    for (let i = out.length - 1; i > 0; i--) {
      const j = Math.floor(this.chance() * (i + 1));
      [out[i], out[j]] = [out[j] as T, out[i] as T];
    }
    return out;
  }
}
