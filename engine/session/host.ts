/**
 * The app without a screen: commands come in, one state goes out (protocol/face.ts). Who does what:
 *
 * - `Session` has the connection and its engine, own or attached;
 * - `HostedRoomServer` the server of "host on this PC";
 * - `Book` what is remembered;
 * - `StatePublisher` tells every face what changed.
 *
 * Passwords that were typed stay in memory here, so that the app can make invites; none is ever written.
 */
import { join } from 'node:path';
import { SETTING_KEYS, type Snapshot } from '../../protocol/app.ts';
import { WarrenError } from '../../protocol/errors.ts';
import type {
  AppCommand,
  AppState,
  Connection,
  DiagnosticsResult,
  Invitation,
  InviteLinkResult,
  Preferences,
  ServerChoice,
  StateChange,
} from '../../protocol/face.ts';
import { decodeInvite, encodeInvite, type Invite, isServerUrl } from '../../protocol/invite.ts';
import { ROOM_LIMITS } from '../../protocol/limits.ts';
import { roomTopic } from '../core/crypto/topic.ts';
import { keepPolicy, keptPolicyView } from '../net/filter-settings.ts';
import { createPortMapper } from '../net/mapping/port-mapper.ts';
import { leaseStore } from '../net/mapping/store.ts';
import { offSnapshot } from '../net/state/off.ts';
import { DEFAULT_SETTINGS, loadSettings, saveSettings } from '../net/state/stores.ts';
import { Book } from './book.ts';
import type { AppHost, AppHostOptions } from './contract.ts';
import { diagnosticsBundle } from './diagnostics.ts';
import { GatedMapper } from './gated-mapper.ts';
import { HostedRoomServer } from './hosting.ts';
import { attachLink, type EngineCommand, type EngineLink } from './link.ts';
import { type LogLevel, LogRing } from './log-ring.ts';
import { StatePublisher } from './publisher.ts';
import { type JoinTarget, Session } from './session.ts';
import { claimSlot, type EngineSlot } from './slot.ts';

const PING_TIMEOUT_MS = 2_000;

/** Where engines are started and found; replaced by tests. */
export interface EngineWorld {
  claim(stateDir: string): EngineSlot;
  attach(stateDir: string): Promise<EngineLink | null>;
}
type Shell = NonNullable<AppHostOptions['shell']>;
const SYSTEM: EngineWorld = { claim: claimSlot, attach: attachLink };

/** Attaches to an engine that runs, or joins the last room where that is preferred. */
export function createAppHost(options: AppHostOptions, world: EngineWorld = SYSTEM): AppHost {
  return new Host(options, world);
}

class Host implements AppHost {
  readonly #options: AppHostOptions;
  readonly #ring = new LogRing();
  readonly #book: Book;
  readonly #publisher: StatePublisher;
  readonly #server: HostedRoomServer;
  /** For the server's ports (the engine maps its own); null where this system cannot. */
  readonly #mapper: GatedMapper | null;
  readonly #session: Session;
  /** By topic: typed in this run of the app, for rooms that were joined with them. */
  readonly #passwords = new Map<string, string>();
  /** What `invitation` is made of. */
  #invite: Invite | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: AppHostOptions, world: EngineWorld) {
    const { stateDir } = options;
    this.#options = options;
    this.#book = new Book(stateDir, (level, message) => this.#log(level, message));
    this.#publisher = new StatePublisher({
      snapshot: this.#off(),
      connection: { state: 'idle' },
      hosting: { state: 'off' },
      rooms: [...this.#book.rooms],
      preferences: this.#book.preferences,
      invitation: null,
      about: options.about,
    });
    this.#mapper = this.#createMapper();
    this.#server = new HostedRoomServer({
      start: () => options.startServer({ portMapper: this.#mapper }),
      changed: (hosting) => this.#publisher.set({ hosting }),
    });
    this.#session = new Session({
      claim: () => world.claim(stateDir),
      attach: () => world.attach(stateDir),
      loadNative: () => options.loadNative(),
      engineOptions: () => this.#engineOptions(),
      serversOf: (choice) => this.#serversOf(choice),
      changed: (connection, snapshot) => this.#changed(connection, snapshot),
      joined: (target) => this.#joined(target),
      unused: () => this.#server.stop(),
      log: (level, message) => this.#log(level, message),
    });
    this.#session.begin(() => (this.#book.preferences.rejoin ? this.#lastRoom() : null));
  }

  state(): AppState {
    return this.#publisher.state();
  }

  subscribe(listener: (change: StateChange) => void): () => void {
    return this.#publisher.subscribe(listener);
  }

  async command(command: AppCommand): Promise<unknown> {
    if (this.#closing !== null) throw new WarrenError('not-running', 'the app is closing');
    switch (command.type) {
      case 'join':
        return this.#join(command);
      case 'leave':
        return this.#session.leave();
      case 'toggle':
        return this.#toggle();
      case 'forget':
        return await this.#forget(command.room);
      case 'dismiss':
        this.#server.forgive();
        return this.#session.dismiss();
      case 'open-invite':
        return this.#openInvite(command.link);
      case 'answer-invite':
        return this.#answerInvite(command.accept, command.nick);
      case 'invite':
        return await this.#makeInvite();
      case 'ping':
        return await this.#session.command({ ...command, timeoutMs: PING_TIMEOUT_MS });
      case 'chat':
      case 'block':
      case 'long-shot':
      case 'send-file':
      case 'file':
      case 'discovery-check':
        return await this.#session.command(command);
      case 'set':
        return await this.#keep(command, (stateDir) =>
          saveSettings(stateDir, { [SETTING_KEYS[command.setting]]: command.on }),
        );
      case 'filter':
        return await this.#keep(command, (stateDir) => saveSettings(stateDir, { filter: command.preset }));
      case 'policy':
        return await this.#keep(command, (stateDir) => keepPolicy(stateDir, command.text));
      case 'prefer':
        return this.#prefer(command.change);
      case 'diagnostics':
        return this.#diagnostics();
      case 'window':
        return this.#shell('window', (shell) => shell.window(command.mode));
      case 'show-file':
        return this.#showFile(command.id);
      case 'quit':
        return this.#shell('quit', (shell) => shell.quit());
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#session.close().then(() => this.#publisher.stop());
    return this.#closing;
  }

  // The connection

  #join(target: JoinTarget): void {
    if (target.server.kind === 'address' && !target.server.urls.every(isServerUrl)) {
      throw new WarrenError('invalid', 'a server is a URL such as wss://example.org');
    }
    const password = target.password ?? this.#passwords.get(roomTopic(target.room)) ?? null;
    this.#session.join({ ...target, password });
  }

  #toggle(): void {
    const { state } = this.#session.connection;
    if (state === 'starting' || state === 'running') return this.#session.leave();
    const last = this.#lastRoom();
    if (last === null) throw new WarrenError('not-joined', 'no room was joined yet');
    this.#session.join(last);
  }

  /** With the password that was typed in this run, or by what the engine remembers. */
  #lastRoom(): JoinTarget | null {
    const room = this.#book.rooms[0];
    if (room === undefined) return null;
    const password = this.#passwords.get(roomTopic(room.name)) ?? null;
    return { room: room.name, password, nick: room.nick, server: room.server, create: false };
  }

  #engineOptions() {
    const { portMapping, hardNat, discovery } = loadSettings(this.#options.stateDir);
    return {
      interfaceName: null,
      ipv4: null,
      tun: this.#options.tun,
      udpPort: 0,
      stun: [],
      portMapping,
      hardNat,
      discovery,
      relayOnly: false,
      caFile: null,
      log: (level: LogLevel, message: string) => this.#log(level, message),
    };
  }

  async #serversOf(choice: ServerChoice): Promise<string[]> {
    if (choice.kind === 'host') return [await this.#server.start()];
    this.#server.forgive();
    if (choice.kind === 'address') return choice.urls;
    const { servers } = this.#options.about;
    if (servers.length === 0) throw new WarrenError('no-server', 'this build has no servers of its own');
    return servers.slice(0, ROOM_LIMITS.servers);
  }

  #changed(connection: Connection, present: Snapshot | null): void {
    const snapshot = present ?? this.#off();
    this.#publisher.set({ connection, snapshot, invitation: invitationOf(this.#invite, connection) });
    this.#mapper?.allow(snapshot.settings.portMapping);
  }

  #createMapper(): GatedMapper | null {
    const mapper = createPortMapper({
      store: leaseStore(join(this.#options.stateDir, 'server-port-mappings.json')),
      excludeInterfaces: [],
      log: (level, message) => this.#log(level, message),
    });
    return mapper && new GatedMapper(mapper, this.state().snapshot.settings.portMapping);
  }

  #joined({ room, nick, server, password }: JoinTarget): void {
    if (password !== null) this.#passwords.set(roomTopic(room), password);
    try {
      this.#book.joined({ name: room, nick, server, lastUsed: Date.now() });
    } catch (error) {
      // The room works; only the next start will not offer it.
      this.#log('warn', `the room cannot be remembered: ${(error as Error).message}`);
    }
    this.#publishBook();
  }

  // What is remembered

  async #forget(room: string): Promise<void> {
    // An engine that is on its way out writes what it knows once more.
    await this.#session.settled();
    if (isIn(this.#session.connection, room)) {
      throw new WarrenError('already-running', 'leave the room before it is forgotten');
    }
    this.#passwords.delete(roomTopic(room));
    this.#book.forget(room);
    this.#publishBook();
  }

  #prefer(asked: Partial<Preferences>): void {
    const change = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
    const { autostart } = asked;
    if (autostart !== undefined && autostart !== this.#book.preferences.autostart) {
      this.#shell('autostart', (shell) => shell.autostart(autostart));
    }
    this.#book.prefer(change);
    this.#publishBook();
  }

  #publishBook(): void {
    this.#publisher.set({ rooms: [...this.#book.rooms], preferences: this.#book.preferences });
  }

  /** Takes effect at once in an engine that runs, and is kept for the next. */
  async #keep(command: EngineCommand, save: (stateDir: string) => unknown): Promise<void> {
    if (this.#session.engaged) {
      await this.#session.command(command);
      return;
    }
    save(this.#options.stateDir);
    this.#publisher.set({ snapshot: this.#off() });
  }

  /** Settings that cannot be read do not keep the app from starting: whoever joins is told. */
  #off(): Snapshot {
    try {
      return offSnapshot(loadSettings(this.#options.stateDir), keptPolicyView(this.#options.stateDir));
    } catch (error) {
      this.#log('warn', (error as Error).message);
      return offSnapshot(DEFAULT_SETTINGS);
    }
  }

  // Invites

  #openInvite(link: string): void {
    const decoded = decodeInvite(link.trim());
    if (!decoded.ok) throw new WarrenError('invalid', `no invite: ${decoded.problem}`);
    this.#invite = decoded.invite;
    this.#publishInvitation();
  }

  #answerInvite(accept: boolean, nick: string = this.#book.preferences.nick): void {
    const invite = this.#invite;
    if (invite === null) throw new WarrenError('invalid', 'no invite is open');
    const { name: room, password, servers: urls } = invite;
    const wanted = accept && !isIn(this.#session.connection, room);
    if (wanted && nick === '') throw new WarrenError('invalid', 'a nickname is needed');
    this.#invite = null;
    this.#publishInvitation();
    if (wanted) this.#session.join({ room, password, nick, server: { kind: 'address', urls }, create: false });
  }

  #publishInvitation(): void {
    this.#publisher.set({ invitation: invitationOf(this.#invite, this.#session.connection) });
  }

  /** Rejects with `invalid` where the password is known to nobody here: the room was joined from memory. */
  async #makeInvite(): Promise<InviteLinkResult> {
    const { link } = (await this.#session.command({ type: 'invite' })) as InviteLinkResult;
    const servers = this.#server.urls.slice(0, ROOM_LIMITS.servers);
    const decoded = decodeInvite(link);
    // The engine knows its own server as a loopback address, which leads nobody here.
    if (!decoded.ok || this.state().hosting.state !== 'on') return { link };
    if (servers.length === 0) throw new WarrenError('unreachable', 'this computer has no address for friends');
    return { link: encodeInvite({ ...decoded.invite, servers }) };
  }

  // The rest

  #diagnostics(): DiagnosticsResult {
    const passwords = [...this.#passwords.values(), ...(this.#invite === null ? [] : [this.#invite.password])];
    return diagnosticsBundle({ state: this.state(), log: this.#ring.lines(), passwords, now: new Date() });
  }

  /** What is shown is decided here: a window says which transfer, never which path. */
  #showFile(id: string): void {
    const file = this.state().snapshot.files?.find((one) => one.id === id);
    const there = file?.direction === 'in' && file.state === 'done' ? file.path : null;
    if (there === null) throw new WarrenError('invalid', 'no such file has arrived');
    this.#shell('showFile', (shell) => shell.showFile(there));
  }

  #shell(name: keyof Shell, work: (shell: Required<Shell>) => void): void {
    const { shell } = this.#options;
    if (shell?.[name] === undefined) throw new WarrenError('unsupported', `there is no ${name} here`);
    work(shell as Required<Shell>);
  }

  #log(level: LogLevel, message: string): void {
    this.#ring.add(level, message);
    this.#options.log(level, message);
  }
}

/** Whether this connection is in the room of this name, or on its way there. */
function isIn(connection: Connection, room: string): boolean {
  if (connection.state !== 'starting' && connection.state !== 'running') return false;
  return roomTopic(connection.room) === roomTopic(room);
}

function invitationOf(invite: Invite | null, connection: Connection): Invitation | null {
  if (invite === null) return null;
  const there = connection.state === 'starting' || connection.state === 'running' ? connection.room : null;
  const leaving = there !== null && !isIn(connection, invite.name) ? there : null;
  return { name: invite.name, servers: invite.servers, leaving };
}
