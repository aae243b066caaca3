/**
 * How long a mapping lives without a packet from inside (RFC 5780, 4.6), on a spare socket that nothing else uses:
 *
 * 1. The spare socket asks a server what it looks like from outside: its mapping is made, or refreshed, by that and by nothing
 *    else. (Some NATs refresh by what comes in; the measure is what every NAT does.)
 * 2. The main socket asks the same server to answer to the spare one's port (RESPONSE-PORT). At once: that this works at all.
 *    Then after each silence of the ladder: what arrives shows that the mapping has lived that long.
 * 3. A silence that ends without an answer is repeated, with step 2 in between, so that neither losses nor a server that went
 *    away look like a short lifetime.
 *
 * Only servers that know RESPONSE-PORT can tell; with another one the lifetime stays unknown.
 */
import { decodeBindingResponse, encodeBindingRequest } from '../stun/binding.ts';
import { TRANSACTION_ID_BYTES } from '../stun/message.ts';
import type { Endpoint, NatAction } from './contract.ts';
import { comesFrom } from './servers.ts';
import {
  GIVE_UP_MS,
  LIFETIME_EARLY_MS,
  LIFETIME_FAILURES,
  LIFETIME_LADDER_S,
  LIFETIME_LATE_MS,
  LIFETIME_RETRY_MS,
  SEND_OFFSETS_MS,
  SHORTEST_LIFETIME_S,
} from './tuning.ts';

export interface LifetimeOptions {
  random: (length: number) => Uint8Array;
  mainSocket: number;
}

export type LifetimeEvent =
  /** A server that answers; null while none does. */
  | { type: 'server'; server: Endpoint | null }
  | { type: 'socket'; request: number; socket: number }
  | { type: 'stun'; socket: number; from: Endpoint; bytes: Uint8Array }
  | { type: 'network-changed' }
  | { type: 'tick' };

export type LifetimeAction =
  | Extract<NatAction, { type: 'stun' | 'open-socket' | 'close-socket' | 'wake' }>
  /** The view has changed. */
  | { type: 'lifetime' };

/** In seconds. What lies between the two is open; null while nothing is known on that side. */
export interface LifetimeView {
  /** Lived at least that long. */
  alive: number | null;
  /** Was gone after that long. */
  expired: number | null;
}

/** One request with its repeats; what it is for decides where its answer counts. */
interface Question {
  /** `hold`: the spare socket's own. `ask`: for an answer that comes to the spare socket. */
  kind: 'hold' | 'ask';
  /** A check of the method, not of a silence. */
  control: boolean;
  startedAt: number;
  lastSentAt: number;
  sent: number;
  id: string;
  bytes: Uint8Array;
}

type State =
  | { phase: 'waiting'; until: number }
  /** A host that is out of sockets never opens one: it is asked again then. */
  | { phase: 'opening'; request: number; until: number }
  | { phase: 'question'; socket: number; question: Question }
  /** Nothing leaves the spare socket until then. */
  | { phase: 'silent'; socket: number; until: number }
  | { phase: 'done' };

const UNKNOWN: LifetimeView = { alive: null, expired: null };

export class Lifetime {
  readonly #options: LifetimeOptions;
  #actions: LifetimeAction[] = [];
  #server: Endpoint | null = null;
  /** The one that is asked, from the first question to the last: a mapping may be towards it alone. */
  #asked: Endpoint | null = null;
  #state: State = { phase: 'waiting', until: 0 };
  #view = UNKNOWN;
  #requests = 0;
  /** Index of the rung in the ladder; -1 is the one below the first. */
  #rung = 0;
  #failures = 0;
  #controlFailures = 0;
  /** The spare socket's mapping, and when it was made or refreshed last. */
  #mappedPort = 0;
  #heldAt = 0;

  constructor(options: LifetimeOptions) {
    this.#options = options;
  }

  view(): LifetimeView {
    return this.#view;
  }

  handle(now: number, event: LifetimeEvent): LifetimeAction[] {
    this.#actions = [];
    if (event.type === 'server') this.#server = event.server;
    else if (event.type === 'socket') this.#opened(now, event.request, event.socket);
    else if (event.type === 'stun') this.#answered(now, event);
    else if (event.type === 'network-changed') this.#restart();
    this.#advance(now);
    return this.#actions;
  }

  /** Another network, another NAT. */
  #restart(): void {
    this.#close();
    this.#state = { phase: 'waiting', until: 0 };
    this.#server = null;
    this.#rung = 0;
    this.#failures = 0;
    this.#controlFailures = 0;
    this.#know(UNKNOWN);
  }

  #advance(now: number): void {
    for (let before: State | null = null; before !== this.#state; ) {
      before = this.#state;
      this.#step(now, before);
    }
    const at = this.#wakeAt();
    if (Number.isFinite(at)) this.#actions.push({ type: 'wake', at });
  }

  #step(now: number, state: State): void {
    if (state.phase === 'waiting' && this.#server !== null && now >= state.until) this.#open(now);
    else if (state.phase === 'opening' && now >= state.until) this.#open(now);
    else if (state.phase === 'silent' && now >= state.until) this.#ask(now, state.socket, false);
    else if (state.phase === 'question') this.#repeat(now, state.socket, state.question);
  }

  #open(now: number): void {
    this.#asked = this.#server ?? this.#asked;
    this.#requests += 1;
    this.#state = { phase: 'opening', request: this.#requests, until: now + LIFETIME_RETRY_MS };
    this.#actions.push({ type: 'open-socket', request: this.#requests });
  }

  #opened(now: number, request: number, socket: number): void {
    if (this.#state.phase !== 'opening' || this.#state.request !== request) {
      this.#actions.push({ type: 'close-socket', socket });
      return;
    }
    this.#hold(now, socket);
  }

  #hold(now: number, socket: number): void {
    this.#state = { phase: 'question', socket, question: this.#question(now, 'hold', false) };
  }

  #ask(now: number, socket: number, control: boolean): void {
    this.#state = { phase: 'question', socket, question: this.#question(now, 'ask', control) };
  }

  #question(now: number, kind: Question['kind'], control: boolean): Question {
    const transactionId = this.#options.random(TRANSACTION_ID_BYTES);
    const bytes = encodeBindingRequest({
      transactionId,
      ...(kind === 'ask' ? { responsePort: this.#mappedPort } : {}),
    });
    return { kind, control, startedAt: now, lastSentAt: now, sent: 0, id: transactionId.join(), bytes };
  }

  #repeat(now: number, socket: number, question: Question): void {
    if (now >= question.startedAt + GIVE_UP_MS) return this.#unanswered(now, socket, question);
    const turn = SEND_OFFSETS_MS.filter((offset) => question.startedAt + offset <= now).length;
    const to = this.#asked;
    if (turn <= question.sent || to === null) return;
    question.sent = turn;
    question.lastSentAt = now;
    const from = question.kind === 'hold' ? socket : this.#options.mainSocket;
    this.#actions.push({ type: 'stun', socket: from, to, bytes: question.bytes });
  }

  #answered(now: number, { socket, from, bytes }: Extract<LifetimeEvent, { type: 'stun' }>): void {
    if (this.#state.phase !== 'question' || this.#asked === null) return;
    const { question, socket: spare } = this.#state;
    const decoded = decodeBindingResponse(bytes);
    if (decoded.kind !== 'ok' || decoded.response.transactionId.join() !== question.id) return;
    if (!comesFrom(from, this.#asked)) return;
    // Refused, or answered to the socket that asked: this server cannot help.
    if (socket !== spare || decoded.response.kind === 'error') return this.#end();
    if (question.kind === 'hold') return this.#held(now, spare, question, decoded.response.mapped.port);
    if (question.control) return this.#proven(spare);
    this.#lived(now, spare);
  }

  #held(now: number, socket: number, question: Question, port: number): void {
    this.#mappedPort = port;
    this.#heldAt = question.lastSentAt;
    if (this.#failures > 0 || this.#view.alive === null) return this.#ask(now, socket, true);
    this.#proven(socket);
  }

  /** The method works, and the mapping was refreshed a moment ago. */
  #proven(socket: number): void {
    this.#controlFailures = 0;
    this.#state = { phase: 'silent', socket, until: this.#heldAt + this.#silenceS() * 1_000 - LIFETIME_EARLY_MS };
  }

  #silenceS(): number {
    return LIFETIME_LADDER_S[this.#rung] ?? SHORTEST_LIFETIME_S;
  }

  #lived(now: number, socket: number): void {
    this.#know({ ...this.#view, alive: this.#silenceS() });
    this.#failures = 0;
    const last = this.#rung === -1 || this.#rung === LIFETIME_LADDER_S.length - 1;
    if (last) return this.#end();
    this.#rung += 1;
    this.#hold(now, socket);
  }

  #unanswered(now: number, socket: number, question: Question): void {
    // The server is away, or the network is: that says nothing of the mapping.
    if (question.kind === 'hold') return this.#retry(now);
    if (question.control) {
      this.#controlFailures += 1;
      return this.#controlFailures < LIFETIME_FAILURES ? this.#hold(now, socket) : this.#end();
    }
    const late = question.startedAt - this.#heldAt - this.#silenceS() * 1_000 > LIFETIME_LATE_MS;
    if (!late) this.#failures += 1;
    if (this.#failures >= LIFETIME_FAILURES) return this.#fell(now, socket);
    this.#hold(now, socket);
  }

  #fell(now: number, socket: number): void {
    this.#know({ ...this.#view, expired: this.#silenceS() });
    if (this.#rung !== 0) return this.#end();
    this.#rung = -1;
    this.#failures = 0;
    this.#hold(now, socket);
  }

  #retry(now: number): void {
    this.#close();
    this.#state = { phase: 'waiting', until: now + LIFETIME_RETRY_MS };
  }

  #end(): void {
    this.#close();
    this.#state = { phase: 'done' };
  }

  #close(): void {
    if ('socket' in this.#state) this.#actions.push({ type: 'close-socket', socket: this.#state.socket });
  }

  #know(view: LifetimeView): void {
    if (view.alive === this.#view.alive && view.expired === this.#view.expired) return;
    this.#view = view;
    this.#actions.push({ type: 'lifetime' });
  }

  #wakeAt(): number {
    const state = this.#state;
    if (state.phase === 'silent' || state.phase === 'opening') return state.until;
    if (state.phase === 'waiting') return this.#server === null ? Number.POSITIVE_INFINITY : state.until;
    if (state.phase !== 'question') return Number.POSITIVE_INFINITY;
    const { startedAt, sent } = state.question;
    return startedAt + (SEND_OFFSETS_MS[sent] ?? GIVE_UP_MS);
  }
}
