/** An app on a fresh state directory, whose engines and server are doubles that the test drives. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { UpOptions } from '../../../engine/contract.ts';
import type { AppHost, AppHostOptions, HostedServer } from '../../../engine/session/contract.ts';
import { createAppHost, type EngineWorld } from '../../../engine/session/host.ts';
import type { EngineLink } from '../../../engine/session/link.ts';
import { roomStore } from '../../../engine/net/state/stores.ts';
import { roomTopic } from '../../../engine/core/crypto/topic.ts';
import type { Snapshot } from '../../../protocol/app.ts';
import { type ErrorCode, WarrenError } from '../../../protocol/errors.ts';
import type { AppCommand, AppState, StateChange } from '../../../protocol/face.ts';
import { until } from '../../until.ts';
import { snapshot } from '../cli/snapshots.ts';
import { EngineDouble } from '../control/engine-double.ts';

/** An engine that joins or ends when the test says. */
export class TestEngine extends EngineDouble {
  readonly options: UpOptionsHere;
  stopped = false;
  /** Done while it stops. */
  onStop: () => void = () => {};
  override readonly done: Promise<{ code: ErrorCode | null; message: string }>;
  #settle!: (end: { code: ErrorCode | null; message: string }) => void;

  constructor(options: UpOptionsHere) {
    super(snapshot({ state: 'joining', room: { name: options.room, server: options.servers[0] ?? '' } }));
    this.options = options;
    this.done = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  joined(change: Partial<Snapshot> = {}): void {
    this.publish({ ...this.snapshot(), state: 'joined', ...change });
  }

  end(code: ErrorCode | null): void {
    this.#settle({ code, message: `ended: ${code}` });
  }

  override async stop(): Promise<void> {
    this.stopped = true;
    await new Promise(setImmediate);
    this.onStop();
    this.end(null);
  }
}
type UpOptionsHere = Omit<UpOptions, 'stateDir'>;

export class TestServer implements HostedServer {
  urls: readonly string[] = ['ws://192.168.1.5:7868'];
  readonly localUrl = 'ws://127.0.0.1:7868';
  reachable: boolean | null = null;
  closed = false;
  readonly #listeners: (() => void)[] = [];

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  change(urls: string[], reachable: boolean | null): void {
    this.urls = urls;
    this.reachable = reachable;
    for (const listener of this.#listeners) listener();
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

export class TestApp {
  readonly stateDir: string;
  readonly engines: TestEngine[] = [];
  readonly servers: TestServer[] = [];
  readonly changes: StateChange[] = [];
  readonly logged: string[] = [];
  /** What the next start rejects with. */
  startFailure: WarrenError | null = null;
  serverFailure: WarrenError | null = null;
  attachFailure: WarrenError | null = null;
  /** The engine of another process, while there is one. */
  other: EngineLink | null = null;
  claimed = 0;
  host!: AppHost;

  constructor(stateDir = mkdtempSync(join(tmpdir(), 'warren-app-'))) {
    this.stateDir = stateDir;
  }

  /** May be called again after `host.close()`: the app starts anew on the same directory. */
  start(change: Partial<AppHostOptions> = {}): this {
    const world: EngineWorld = {
      claim: () => {
        if (this.claimed > 0 || this.other !== null) throw new WarrenError('already-running', 'it runs');
        this.claimed++;
        let engine: TestEngine | null = null;
        let releasing: Promise<void> | null = null;
        const release = async () => {
          await engine?.stop();
          this.claimed--;
        };
        return {
          start: async (options) => {
            if (this.startFailure !== null) throw this.startFailure;
            engine = new TestEngine(options);
            this.engines.push(engine);
            return engine;
          },
          release: () => (releasing ??= release()),
        };
      },
      attach: async () => {
        if (this.attachFailure !== null) throw this.attachFailure;
        return this.other;
      },
    };
    this.host = createAppHost(
      {
        stateDir: this.stateDir,
        about: {
          version: '1.2.3',
          platform: 'linux',
          shell: 'browser',
          locale: 'en',
          servers: ['wss://built-in.example'],
        },
        loadNative: () => Promise.resolve({} as never),
        startServer: async () => {
          if (this.serverFailure !== null) throw this.serverFailure;
          const server = new TestServer();
          this.servers.push(server);
          return server;
        },
        tun: false,
        log: (level, message) => this.logged.push(`${level} ${message}`),
        ...change,
      },
      world,
    );
    this.host.subscribe((part) => this.changes.push(part));
    return this;
  }

  get state(): AppState {
    return this.host.state();
  }

  get engine(): TestEngine {
    return this.engines.at(-1) as TestEngine;
  }

  async do(command: AppCommand): Promise<unknown> {
    return await this.host.command(command);
  }

  async reaches(state: AppState['connection']['state']): Promise<AppState> {
    await until(`connection ${state}`, () => this.state.connection.state === state);
    return this.state;
  }

  /** Joins and waits until the engine says joined. */
  async join(change: Partial<Extract<AppCommand, { type: 'join' }>> = {}): Promise<TestEngine> {
    const before = this.engines.length;
    await this.do(joining(change));
    await until('an engine', () => this.engines.length > before);
    await this.reaches('starting');
    this.engine.joined();
    await this.reaches('running');
    return this.engine;
  }

  /** As an engine remembers a room that it was in. */
  remember(room: string): void {
    const memory = { prs: 'cA==', roomTag: null, prefix: { epoch: 0, index: 0 }, claims: [], pins: [], blocked: [] };
    roomStore(this.stateDir, roomTopic(room)).save(Buffer.from(JSON.stringify(memory)));
  }

  async close(): Promise<void> {
    await this.host.close();
    rmSync(this.stateDir, { recursive: true, force: true });
  }
}

export function joining(
  change: Partial<Extract<AppCommand, { type: 'join' }>> = {},
): Extract<AppCommand, { type: 'join' }> {
  return {
    type: 'join',
    room: 'Friday night',
    password: 'correct horse',
    nick: 'ann',
    server: { kind: 'address', urls: ['ws://198.51.100.10:7868'] },
    create: false,
    ...change,
  };
}

/** The engine of another process. */
export class OtherEngine implements EngineLink {
  readonly attached = true;
  readonly engine: TestEngine;
  closed = false;

  constructor(engine: TestEngine) {
    this.engine = engine;
  }

  get done() {
    return this.engine.done;
  }
  subscribe(listener: (snapshot: Snapshot) => void): void {
    this.engine.subscribe(listener);
  }
  command(command: Parameters<EngineLink['command']>[0]): Promise<unknown> {
    return this.engine.command(command);
  }
  end(): Promise<void> {
    return this.engine.stop();
  }
  async close(): Promise<void> {
    this.closed = true;
  }
}

export function otherEngine(): OtherEngine {
  const options = { room: 'Friday night', servers: ['ws://198.51.100.10:7868'] };
  return new OtherEngine(new TestEngine(options as unknown as UpOptionsHere));
}
