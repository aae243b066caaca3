/**
 * The app's one connection. What is asked of it is done one after the other:
 *
 * 1. `join` ends what runs, finds the servers, claims the place, starts an engine: `starting`.
 * 2. The first `joined` snapshot makes it `running`; an engine that ends by itself `failed`, with its code, or `idle`.
 * 3. `leave` ends it, whosever it is: `stopping`, then `idle`.
 * 4. While it is idle, an engine that another process starts is attached to.
 */
import type { Snapshot } from '../../protocol/app.ts';
import { type ErrorCode, WarrenError } from '../../protocol/errors.ts';
import type { Connection, ServerChoice } from '../../protocol/face.ts';
import type { UpOptions } from '../contract.ts';
import type { NativePort } from '../net/host.ts';
import { type EngineCommand, type EngineLink, ownLink } from './link.ts';
import type { EngineSlot } from './slot.ts';

/** After a start of the computer its network may come later than the app: long enough for Wi-Fi, short enough to wait for. */
const RETRY_MS = 10_000;
/** A look at the lock file costs microseconds; a person who starts `warren up` sees it here soon enough. */
const LOOK_MS = 2_000;

export interface JoinTarget {
  room: string;
  /** Null: the saved room's. */
  password: string | null;
  nick: string;
  server: ServerChoice;
  create: boolean;
}

export interface SessionOptions {
  claim(): EngineSlot;
  attach(): Promise<EngineLink | null>;
  loadNative(): Promise<NativePort>;
  /** Everything but what the target says. Throws WarrenError. */
  engineOptions(): Omit<UpOptions, 'stateDir' | 'room' | 'password' | 'nick' | 'servers' | 'create'>;
  /** URLs for the engine on this machine. Rejects with WarrenError. */
  serversOf(choice: ServerChoice): Promise<string[]>;
  /** `snapshot` null: there is no engine. */
  changed(connection: Connection, snapshot: Snapshot | null): void;
  joined(target: JoinTarget): void;
  /** No room of this app needs a server here any more. */
  unused(): Promise<void>;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void;
}

export class Session {
  readonly #options: SessionOptions;
  #connection: Connection = { state: 'idle' };
  /** Of the engine that runs. */
  #snapshot: Snapshot | null = null;
  #link: EngineLink | null = null;
  #queue: Promise<void> = Promise.resolve();
  /** Transitions that wait or run. */
  #pending = 0;
  #looking: NodeJS.Timeout | null = null;
  #retry: NodeJS.Timeout | null = null;
  #attachProblem = '';
  #closed = false;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** Whether there is an engine to ask. */
  get engaged(): boolean {
    return this.#link !== null;
  }

  /** Attaches to an engine that runs; else joins `target` if there is one. */
  begin(target: () => JoinTarget | null): void {
    this.#enqueue(async () => {
      if (await this.#attach()) return;
      const wanted = target();
      if (wanted !== null) await this.#start(wanted, true);
    });
    this.#looking = setInterval(() => this.#look(), LOOK_MS);
    this.#looking.unref();
  }

  join(target: JoinTarget): void {
    this.#enqueue(async () => {
      if (!(await this.#end())) return;
      if (target.server.kind !== 'host') await this.#options.unused();
      await this.#start(target);
    });
  }

  leave(): void {
    this.#enqueue(async () => {
      if (!(await this.#end())) return;
      await this.#options.unused();
      this.#set({ state: 'idle' }, null);
    });
  }

  /** Takes a failure away. */
  dismiss(): void {
    if (this.#connection.state === 'failed') this.#set({ state: 'idle' }, null);
  }

  /** Rejects with WarrenError: `not-joined` without an engine. */
  async command(command: EngineCommand): Promise<unknown> {
    if (this.#link === null) throw new WarrenError('not-joined', 'no room is joined');
    return await this.#link.command(command);
  }

  /** Resolves when all that was asked so far is done. */
  settled(): Promise<void> {
    return this.#queue;
  }

  /** Idempotent; an engine of another process goes on. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#looking !== null) clearInterval(this.#looking);
    if (this.#retry !== null) clearTimeout(this.#retry);
    await this.#queue;
    const link = this.#link;
    this.#link = null;
    if (link !== null && !link.attached) this.#set({ state: 'stopping', room: roomOf(this.#connection) }, undefined);
    await link?.close();
    await this.#options.unused();
    this.#set({ state: 'idle' }, null);
  }

  /** `undefined`: the snapshot stays as it is. */
  #set(connection: Connection, snapshot: Snapshot | null | undefined): void {
    this.#connection = connection;
    if (snapshot !== undefined) this.#snapshot = snapshot;
    this.#options.changed(connection, this.#snapshot);
  }

  #enqueue(work: () => Promise<void>): void {
    this.#pending++;
    this.#queue = this.#queue.then(async () => {
      try {
        if (!this.#closed) await work();
      } catch (error) {
        this.#fail(roomOf(this.#connection), error);
      } finally {
        this.#pending--;
      }
    });
  }

  #look(): void {
    if (this.#connection.state !== 'idle' || this.#pending > 0) return;
    this.#enqueue(async () => {
      if (this.#connection.state === 'idle') await this.#attach();
    });
  }

  /** Whether an engine of another process is there now, one that can be spoken with. */
  async #attach(): Promise<boolean> {
    const link = await this.#options.attach().catch((error: unknown) => this.#attachFailed(error));
    if (link === null) return false;
    this.#hold(link, (snapshot) => {
      const room = snapshot.room?.name ?? '';
      this.#set({ state: 'running', room, attached: true }, snapshot);
    });
    return true;
  }

  /** Tried again and again while idle, and told once. */
  #attachFailed(error: unknown): null {
    const { message } = error as Error;
    if (message !== this.#attachProblem) this.#options.log('warn', `another engine cannot be attached to: ${message}`);
    this.#attachProblem = message;
    return null;
  }

  /** `patient`: nobody asked just now, so it goes on trying until a server is there. */
  async #start(target: JoinTarget, patient = false): Promise<void> {
    const { room } = target;
    this.#set({ state: 'starting', room }, null);
    let slot: EngineSlot | null = null;
    try {
      slot = this.#options.claim();
      const servers = await this.#options.serversOf(target.server);
      const { password, nick, create } = target;
      const options = { ...this.#options.engineOptions(), room, password, nick, servers, create };
      const engine = await slot.start(options, await this.#options.loadNative());
      const link = ownLink(slot, engine);
      this.#hold(link, (snapshot) => this.#follow(target, snapshot));
      if (patient) void link.done.then(({ code }) => this.#retryWithout(code, target));
    } catch (error) {
      await slot?.release();
      await this.#options.unused();
      const taken = error instanceof WarrenError && error.code === 'already-running';
      if (taken && (await this.#attach())) return;
      this.#fail(room, error);
    }
  }

  #retryWithout(code: ErrorCode | null, target: JoinTarget): void {
    const failed = this.#connection;
    if (code !== 'no-server' || failed.state !== 'failed' || this.#closed) return;
    this.#retry = setTimeout(() => {
      // Whatever the user did meanwhile was about the connection.
      if (this.#connection === failed && this.#pending === 0) this.#enqueue(() => this.#start(target, true));
    }, RETRY_MS);
  }

  #follow(target: JoinTarget, snapshot: Snapshot): void {
    if (this.#connection.state !== 'starting' || snapshot.state !== 'joined') {
      this.#set(this.#connection, snapshot);
      return;
    }
    this.#set({ state: 'running', room: target.room, attached: false }, snapshot);
    this.#options.joined(target);
  }

  #hold(link: EngineLink, follow: (snapshot: Snapshot) => void): void {
    this.#link = link;
    link.subscribe((snapshot) => {
      // The last one of an engine says only that it is off: `done` tells why.
      if (link === this.#link && snapshot.state !== 'off') follow(snapshot);
    });
    void link.done.then(({ code, message }) => this.#ended(link, code, message));
  }

  /** An engine ended that nobody here asked to. */
  #ended(link: EngineLink, code: ErrorCode | null, message: string): void {
    if (link !== this.#link) return;
    this.#link = null;
    const room = roomOf(this.#connection);
    if (code === null) this.#set({ state: 'idle' }, null);
    else this.#fail(room, new WarrenError(code, message));
    if (!link.attached) this.#enqueue(async () => await this.#releaseUnused());
  }

  async #releaseUnused(): Promise<void> {
    if (this.#link === null) await this.#options.unused();
  }

  /** Ends the engine, if there is one; false when it would not end. */
  async #end(): Promise<boolean> {
    const link = this.#link;
    if (link === null) return true;
    const room = roomOf(this.#connection);
    this.#link = null;
    this.#set({ state: 'stopping', room }, undefined);
    try {
      await link.end();
      return true;
    } catch (error) {
      await link.close();
      this.#fail(room, error);
      return false;
    }
  }

  #fail(room: string, error: unknown): void {
    const code = error instanceof WarrenError ? error.code : 'internal';
    const message = error instanceof Error ? (code === 'internal' && error.stack) || error.message : String(error);
    this.#options.log('warn', `the connection failed (${code}): ${message}`);
    this.#set({ state: 'failed', room, code, at: Date.now() }, null);
  }
}

function roomOf(connection: Connection): string {
  return connection.state === 'idle' ? '' : connection.room;
}
