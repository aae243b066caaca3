/** The room's chat: what was said while this engine ran. Nothing is kept on a disk or a server. */
import type { ChatMessage } from '../protocol/app.ts';
import { WarrenError } from '../protocol/errors.ts';
import type { PeerMessage } from '../protocol/peer.ts';
import type { PeerKey } from './core/room/contract.ts';
import type { ClockPort, RandomPort } from './ports.ts';

export const CHAT_KEPT = 100;
/** Messages of one sender within the window: a person types fewer, and a flood would push out what others said. */
const BURST = 10;
const WINDOW_MS = 10_000;
const ID_BYTES = 16;

export class Chat {
  readonly #clock: ClockPort;
  readonly #random: RandomPort;
  #messages: readonly ChatMessage[] = [];
  /** Times of the last messages by sender, in the engine's clock. */
  readonly #recent = new Map<PeerKey, number[]>();

  constructor(clock: ClockPort, random: RandomPort) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Oldest first. */
  messages(): readonly ChatMessage[] {
    return this.#messages;
  }

  /** Notes our own message; the result is for every member. Throws WarrenError('invalid') for a flood. */
  say(own: { key: PeerKey; nick: string }, text: string): PeerMessage {
    if (!this.#allows(own.key)) throw new WarrenError('invalid', 'too many messages: wait a few seconds');
    const id = [...this.#random(ID_BYTES)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    this.#add({ id, from: own.key, nick: own.nick, text, at: this.#now() });
    return { t: 'chat', id, text };
  }

  /** Notes a member's message; drops a repetition and a flood. */
  heard(from: { key: PeerKey; nick: string }, { id, text }: Extract<PeerMessage, { t: 'chat' }>): void {
    if (this.#messages.some((message) => message.id === id && message.from === from.key)) return;
    if (this.#allows(from.key)) this.#add({ id, from: from.key, nick: from.nick, text, at: this.#now() });
  }

  #add(message: ChatMessage): void {
    this.#messages = [...this.#messages, message].slice(-CHAT_KEPT);
  }

  #allows(key: PeerKey): boolean {
    const now = this.#clock.now();
    const times = (this.#recent.get(key) ?? []).filter((at) => at > now - WINDOW_MS);
    const allowed = times.length < BURST;
    if (allowed) times.push(now);
    this.#recent.set(key, times);
    return allowed;
  }

  #now(): number {
    return Math.round(this.#clock.epoch());
  }
}
