/**
 * The room's connections to its servers (at most 4): hello under a fresh session id each time, the list of who is there,
 * and coming back with back-off after an end. It knows members by session only; whose session it is comes out later.
 */

import type { ServerErrorCode } from '../../../protocol/errors.ts';
import { PROTOCOL_VERSION, SERVER_LIMITS } from '../../../protocol/limits.ts';
import type { Hello, ServerMember, ServerMessage, Welcome } from '../../../protocol/server.ts';
import { bytesToHex, hexToBytes } from '../crypto/bytes.ts';
import type { ServerIndex } from './contract.ts';
import { type Member, newMember } from './member.ts';
import type { Shared } from './shared.ts';

const BACKOFF_FIRST_MS = 250;
const BACKOFF_CAP_MS = 30_000;
/** Bounds what a hostile server may ask for. */
const RETRY_AFTER_CAP_MS = 5 * 60_000;
/** A connection must have stood this long before the next failure counts as the first one. */
const STEADY_MS = 10_000;
/** Connect, hello and welcome together; above the server's own 5 s for hello. */
const WELCOME_TIMEOUT_MS = 10_000;
/** The same after a change of network, from which the old one's packets get no answer: a lost SYN is repeated after 1 s. */
const CHANGED_TIMEOUT_MS = 3_000;

/** Nothing that the next attempt would change: it waits for the longest pause at once. */
const HOPELESS: ReadonlySet<ServerErrorCode> = new Set(['bad-message', 'version', 'origin', 'too-large']);
const HOPELESS_ATTEMPTS = 7;

export interface ServerSession {
  index: ServerIndex;
  url: string;
  phase: 'idle' | 'connecting' | 'greeting' | 'joined' | 'waiting';
  /** Own session id on this connection, 16 bytes. */
  session: Uint8Array;
  self: string;
  resume: string | undefined;
  members: Map<string, Member>;
  attempts: number;
  /** When this phase ends by itself: the next attempt, or giving up on a welcome. */
  deadline: number;
  /** What the server asked to wait for; until when, once it is waited for. */
  retryAfterMs: number;
  askedUntil: number;
  joinedAt: number;
  everJoined: boolean;
  reported: boolean;
  /** The server's last error. */
  error: ServerErrorCode | null;
}

export interface ServerHooks {
  departed: (member: Member) => void;
  joined: (server: ServerSession) => void;
}

export class Servers {
  readonly all: ServerSession[];
  readonly #shared: Shared;
  readonly #hooks: ServerHooks;

  constructor(shared: Shared, urls: string[], hooks: ServerHooks) {
    this.#shared = shared;
    this.#hooks = hooks;
    this.all = urls.map((url, index) => ({
      index,
      url,
      phase: 'idle',
      session: new Uint8Array(16),
      self: '',
      resume: undefined,
      members: new Map(),
      attempts: 0,
      deadline: Number.POSITIVE_INFINITY,
      retryAfterMs: 0,
      askedUntil: Number.NEGATIVE_INFINITY,
      joinedAt: 0,
      everJoined: false,
      reported: false,
      error: null,
    }));
  }

  start(): void {
    for (const server of this.all) this.#connect(server);
  }

  stop(): void {
    for (const server of this.all) {
      if (server.phase !== 'idle' && server.phase !== 'waiting') {
        this.#shared.emit({ type: 'disconnect', server: server.index });
      }
      server.phase = 'idle';
      server.deadline = Number.POSITIVE_INFINITY;
      server.members.clear();
    }
  }

  get joined(): ServerSession[] {
    return this.all.filter((server) => server.phase === 'joined');
  }

  /** Some server has neither let us in nor failed yet. */
  get undecided(): boolean {
    return this.all.some((server) => !server.everJoined && server.attempts === 0);
  }

  *members(): Iterable<Member> {
    for (const server of this.all) yield* server.members.values();
  }

  member(server: ServerIndex, id: string): Member | undefined {
    return this.all[server]?.members.get(id);
  }

  opened(index: ServerIndex): void {
    const server = this.all[index];
    if (server?.phase !== 'connecting') return;
    server.phase = 'greeting';
  }

  message(index: ServerIndex, message: ServerMessage): void {
    const server = this.all[index];
    if (server === undefined) return;
    switch (message.t) {
      case 'welcome':
        if (server.phase === 'greeting') this.#welcomed(server, message);
        return;
      case 'joined':
        if (server.phase === 'joined') this.#add(server, message, false);
        return;
      case 'left':
        return this.#remove(server, message.member);
      case 'error':
        if (message.code === 'rate-limited') return;
        server.error = message.code;
        if (HOPELESS.has(message.code)) server.attempts = Math.max(server.attempts, HOPELESS_ATTEMPTS);
        server.retryAfterMs = Math.max(server.retryAfterMs, message.retryAfterMs ?? 0);
        return;
      case 'going-away':
        server.retryAfterMs = Math.max(server.retryAfterMs, message.retryAfterMs);
        return;
    }
  }

  closed(index: ServerIndex): void {
    const server = this.all[index];
    if (server === undefined || server.phase === 'idle' || server.phase === 'waiting') return;
    const wasJoined = server.phase === 'joined';
    if (wasJoined && this.#shared.now - server.joinedAt >= STEADY_MS) server.attempts = 0;
    server.phase = 'waiting';
    this.#shared.pacer.close(index);
    for (const id of server.members.keys()) this.#remove(server, id);
    if (!server.reported) this.#shared.notice('server-unreachable');
    server.reported = true;
    server.askedUntil = this.#shared.now + Math.min(server.retryAfterMs, RETRY_AFTER_CAP_MS);
    server.deadline = server.askedUntil + this.#backoff(server);
    server.attempts += 1;
    server.retryAfterMs = 0;
  }

  /** What failed before may work now, and what is under way may have left by an address that is gone. */
  networkChanged(): void {
    for (const server of this.all) {
      const { now } = this.#shared;
      server.attempts = Math.min(server.attempts, 1);
      if (server.phase === 'waiting') {
        server.deadline = Math.min(server.deadline, Math.max(now, server.askedUntil) + this.#backoff(server));
      } else if (server.phase !== 'joined' && server.phase !== 'idle') {
        server.deadline = Math.min(server.deadline, now + CHANGED_TIMEOUT_MS);
      }
    }
  }

  tick(): void {
    for (const server of this.all) {
      if (server.deadline > this.#shared.now) continue;
      if (server.phase === 'waiting') this.#connect(server);
      else if (server.phase === 'connecting' || server.phase === 'greeting') this.#giveUp(server);
    }
  }

  deadline(): number {
    return Math.min(...this.all.map((server) => server.deadline), Number.POSITIVE_INFINITY);
  }

  #connect(server: ServerSession): void {
    server.phase = 'connecting';
    server.deadline = this.#shared.now + WELCOME_TIMEOUT_MS;
    server.session = this.#shared.random(16);
    const hello: Hello = {
      t: 'hello',
      versions: [PROTOCOL_VERSION],
      topic: bytesToHex(this.#shared.topic),
      session: bytesToHex(server.session),
      ...(server.resume === undefined ? {} : { resume: server.resume }),
    };
    this.#shared.emit({ type: 'connect', server: server.index, url: server.url, hello });
  }

  #giveUp(server: ServerSession): void {
    this.#shared.emit({ type: 'disconnect', server: server.index });
    this.closed(server.index);
  }

  /** Exponential with equal jitter, so that a room does not come back all at once. */
  #backoff(server: ServerSession): number {
    const backoff = Math.min(BACKOFF_CAP_MS, BACKOFF_FIRST_MS * 2 ** Math.min(server.attempts, 10));
    return backoff * (0.5 + this.#shared.chance() / 2);
  }

  #welcomed(server: ServerSession, welcome: Welcome): void {
    if (welcome.version !== PROTOCOL_VERSION) return this.#giveUp(server);
    const first = !server.everJoined;
    server.phase = 'joined';
    server.deadline = Number.POSITIVE_INFINITY;
    server.self = welcome.member;
    this.#shared.pacer.open(server.index, welcome.limits.signalsPerSecond, this.#shared.now);
    server.resume = welcome.resume;
    server.joinedAt = this.#shared.now;
    server.everJoined = true;
    server.error = null;
    if (server.reported) this.#shared.notice('server-back');
    server.reported = false;
    for (const member of welcome.members) this.#add(server, member, first);
    this.#hooks.joined(server);
  }

  /** A session id that is our own, or somebody else's here, is a reflection: that member does not exist for us. */
  #add(server: ServerSession, told: ServerMember, welcomed: boolean): void {
    if (told.member === server.self || server.members.size >= SERVER_LIMITS.membersPerRoom) return;
    this.#remove(server, told.member);
    const repeated = [...server.members.values()].some((member) => bytesToHex(member.session) === told.session);
    if (repeated || told.session === bytesToHex(server.session)) return;
    const session = hexToBytes(told.session);
    const member = newMember(server, told.member, session, told.source, welcomed, this.#shared.now);
    server.members.set(told.member, member);
  }

  #remove(server: ServerSession, id: string): void {
    const member = server.members.get(id);
    if (member === undefined) return;
    server.members.delete(id);
    this.#hooks.departed(member);
  }
}
