/**
 * The engine: drives the pure cores with the world's events. A packet's life begins here only when it is a signal or
 * relayed; everything else passes below, in the device.
 *
 * 1. The room core says whom to trust: `peer-up` installs a device peer and its traversal core.
 * 2. NAT discovery and interfaces give candidates; each traversal core sends them to its member and probes.
 * 3. Traversal decides the path; the device sends along it. `external` packets leave through `Servers`.
 * 4. Every change ends in one immutable snapshot.
 */
import ipaddr from 'ipaddr.js';
import type { Command, Snapshot } from '../protocol/app.ts';
import { type ErrorCode, WarrenError } from '../protocol/errors.ts';
import { encodeInvite } from '../protocol/invite.ts';
import type { NatReport } from '../protocol/nat.ts';
import type { PeerMessage } from '../protocol/peer.ts';
import { Chat } from './chat.ts';
import type { Engine } from './contract.ts';
import { gatherCandidates } from './core/candidates/gather.ts';
import type { StunServer } from './core/nat/contract.ts';
import type { PeerKey, RoomAction, RoomCore, RoomEvent, RoomMemory, RoomView } from './core/room/contract.ts';
import { createRoom } from './core/room/room.ts';
import { Members } from './members.ts';
import { decodeMemory, encodeMemory } from './memory.ts';
import { Nats } from './nats.ts';
import type {
  ClockPort,
  CryptoPort,
  DeviceEvent,
  DevicePort,
  InterfacesPort,
  PeerId,
  RandomPort,
  RendezvousPort,
  StorePort,
  TunPort,
} from './ports.ts';
import { Servers } from './servers.ts';
import { addNotice, buildSnapshot, type Notice } from './snapshot.ts';
import { Waker } from './wake.ts';

/** Counters are read this often: a quarter of the time in which a dead path must be replaced. */
const SAMPLE_MS = 250;
/** Snapshots are published at most this often. */
const PUBLISH_MS = 100;
/** Ping figures and counters move without an event: published at this pace while someone watches. */
const REFRESH_MS = 1_000;

export interface EnginePorts {
  clock: ClockPort;
  random: RandomPort;
  rendezvous: RendezvousPort;
  crypto: CryptoPort;
  interfaces: InterfacesPort;
  store: StorePort;
  tun: TunPort;
  /** The device for this room's private key. */
  createDevice(privateKey: Uint8Array): DevicePort;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void;
}

export interface EngineOptions {
  room: string;
  password: string | null;
  nick: string;
  machineKey: Uint8Array;
  servers: string[];
  create: boolean;
  ipv4: string | null;
  stun: StunServer[];
  /** Endpoints that the user knows to lead here. */
  staticCandidates: { ip: string; port: number }[];
  settings: Snapshot['settings'];
  /** Writes a changed setting for the next run. */
  saveSettings(settings: Snapshot['settings']): void;
  scryptN?: number;
}

/** Starts at once; throws WarrenError('invalid') for an impossible room name, nickname or password. */
export function createEngine(ports: EnginePorts, options: EngineOptions): Engine {
  return new RunningEngine(ports, options);
}

class RunningEngine implements Engine {
  readonly done: Promise<{ code: ErrorCode | null; message: string }>;
  readonly #ports: EnginePorts;
  readonly #options: EngineOptions;
  readonly #room: RoomCore;
  readonly #device: DevicePort;
  readonly #servers: Servers;
  readonly #nats: Nats;
  readonly #roomWaker: Waker;
  readonly #members: Members;
  readonly #chat: Chat;
  readonly #listeners = new Set<(snapshot: Snapshot) => void>();
  readonly #stops: (() => void)[] = [];
  #inbox: (() => void)[] = [];
  #draining = false;
  #notices: Notice[] = [];
  #settings: Snapshot['settings'];
  #publishing = false;
  #published: Snapshot | null = null;
  #tunWork: Promise<void> = Promise.resolve();
  #ended = false;
  #settle!: (end: { code: ErrorCode | null; message: string }) => void;
  #stopping: Promise<void> | null = null;

  constructor(ports: EnginePorts, options: EngineOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#settings = options.settings;
    this.#chat = new Chat(ports.clock, ports.random);
    this.done = new Promise((resolve) => {
      this.#settle = resolve;
    });
    const addresses = ports.interfaces.addresses();
    this.#room = createRoom({
      name: options.room,
      password: options.password,
      nick: options.nick,
      machineKey: options.machineKey,
      servers: options.servers,
      create: options.create,
      memory: readMemory(ports),
      hostNetworks: addresses.filter((a) => a.family === 4).map((a) => `${a.ip}/${a.prefixLength ?? 24}`),
      ipv4: options.ipv4,
      random: ports.random,
      ...(options.scryptN ? { scryptN: options.scryptN } : {}),
    });
    this.#device = ports.createDevice(this.#room.view().privateKey);
    this.#servers = new Servers(ports.rendezvous, {
      open: (server) => this.#roomEvent({ type: 'server-open', server }),
      message: (server, message) => {
        this.#roomEvent({ type: 'server-message', server, message });
        if (message.t === 'welcome') this.#post(() => this.#onWelcome());
        else this.#nats.tcpReachable();
      },
      signal: (server, member, payload) => this.#roomEvent({ type: 'server-frame', server, member, payload }),
      relayed: (server, member, payload) => this.#members.relayed(server, member, payload),
      closed: (server, code) => this.#roomEvent({ type: 'server-closed', server, code }),
    });
    this.#members = new Members({
      clock: ports.clock,
      log: ports.log,
      device: this.#device,
      servers: this.#servers,
      ownKey: this.#room.view().publicKey,
      relayOnly: options.settings.relayOnly,
      inRoom: (ip) => isInRoom(ip, this.#room.view()),
      serverUrls: options.servers,
      post: (work) => this.#post(work),
      send: (peer, message) => this.#roomEvent({ type: 'send', peer, message }),
      alive: (peer) => this.#roomEvent({ type: 'peer-alive', peer }),
      pathChanged: () => {
        this.#nats.watch(this.#members.someRelayed());
        this.#publishSoon();
      },
    });
    this.#nats = new Nats(ports, this.#device, addresses, () => this.#post(() => this.#giveLocal()));
    this.#roomWaker = new Waker(ports.clock, () => this.#roomEvent({ type: 'tick' }));
    this.#device.onEvents((batch) => this.#post(() => this.#onDevice(batch)));
    this.#stops.push(ports.interfaces.watch(() => this.#post(() => this.#onNetworkChanged())));
    this.#every(SAMPLE_MS, () => this.#members.sample());
    this.#every(REFRESH_MS, () => {
      if (this.#listeners.size > 0) this.#publishSoon();
    });
    if (options.stun.length > 0) this.#nats.setServers(options.stun);
    this.#roomEvent({ type: 'start' });
  }

  snapshot(): Snapshot {
    return this.#published ?? this.#build();
  }

  subscribe(listener: (snapshot: Snapshot) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#build());
    return () => this.#listeners.delete(listener);
  }

  async command(command: Command): Promise<unknown> {
    if (this.#ended) throw new WarrenError('not-running', 'the engine has ended');
    switch (command.type) {
      case 'status':
      case 'watch':
        return this.#build();
      case 'down':
        void this.stop();
        return null;
      case 'set':
        this.#set(command.setting, command.on);
        return this.#settings;
      case 'block': {
        const peer = this.#find(command.peer).key;
        this.#roomEvent({ type: 'block', peer, on: command.on });
        return null;
      }
      case 'invite':
        return { link: this.#invite() };
      case 'ping':
        return await this.#members.ping(this.#find(command.peer), command.timeoutMs);
      case 'chat':
        return this.#say(command.text);
    }
  }

  stop(): Promise<void> {
    return this.#end(null, 'stopped');
  }

  #end(code: ErrorCode | null, message: string): Promise<void> {
    this.#stopping ??= this.#takeDown(code, message);
    return this.#stopping;
  }

  async #takeDown(code: ErrorCode | null, message: string): Promise<void> {
    // Whatever is being handled now ends first, so that the room can still say bye.
    await Promise.resolve();
    this.#roomEvent({ type: 'stop' });
    this.#ended = true;
    for (const stop of this.#stops) stop();
    this.#roomWaker.stop();
    this.#nats.stop();
    this.#members.stop();
    this.#servers.close();
    this.#ports.crypto.close();
    await this.#tunWork;
    await this.#device.close();
    const last: Snapshot = {
      version: 1,
      state: 'off',
      room: null,
      self: null,
      peers: [],
      notices: this.#notices,
      settings: this.#settings,
      chat: [...this.#chat.messages()],
    };
    this.#published = last;
    for (const listener of this.#listeners) listener(last);
    this.#listeners.clear();
    this.#settle({ code, message });
  }

  /** One event at a time, in order; an event raised while another is handled waits. */
  #post(work: () => void): void {
    if (this.#ended) return;
    this.#inbox.push(work);
    if (this.#draining) return;
    this.#draining = true;
    try {
      for (let next = this.#inbox.shift(); next; next = this.#inbox.shift()) next();
    } finally {
      this.#draining = false;
    }
  }

  #every(periodMs: number, work: () => void): void {
    const { clock } = this.#ports;
    let cancel = () => {};
    const again = () => {
      cancel = clock.at(clock.now() + periodMs, () => {
        this.#post(work);
        again();
      });
    };
    again();
    this.#stops.push(() => cancel());
  }

  #roomEvent(event: RoomEvent): void {
    this.#post(() => {
      for (const action of this.#room.handle(this.#ports.clock.now(), event)) this.#roomAction(action);
      this.#publishSoon();
    });
  }

  #roomAction(action: RoomAction): void {
    switch (action.type) {
      case 'connect':
        return this.#servers.connect(action.server, action.url);
      case 'disconnect':
        return this.#servers.disconnect(action.server);
      case 'server-send':
        return this.#servers.send(action.server, action.message);
      case 'server-frame':
        this.#servers.signal(action.server, action.member, action.payload);
        return;
      case 'crypto':
        void this.#compute(action.job, action.request);
        return;
      case 'tunnel-frame':
        return this.#members.tunnelFrame(action.peer, action.payload);
      case 'peer-up':
        return this.#members.up(action);
      case 'peer-proven':
        this.#members.proven(action.peer);
        this.#giveLocal();
        return this.#nats.watch(this.#members.someRelayed());
      case 'peer-down':
        this.#ports.log('info', `member ${action.peer} is gone (${action.reason})`);
        return this.#members.down(action.peer);
      case 'peer-routes':
        return this.#members.routes(action.peer, action.routes);
      case 'peer-message':
        return this.#peerMessage(action.peer, action.message);
      case 'self-address':
        return this.#configureTun(`${action.ipv4}/${action.prefixLength}`, `${action.ipv6}/64`);
      case 'peer-address':
        return this.#members.address(action.peer, action.ipv4, action.ipv6);
      case 'remember':
        return this.#remember(action.memory);
      case 'notice':
        this.#ports.log('info', `notice ${action.code}${action.nick ? ` ${action.nick}` : ''}`);
        this.#notices = addNotice(this.#notices, {
          code: action.code,
          at: Math.round(this.#ports.clock.epoch()),
          ...(action.nick ? { nick: action.nick } : {}),
        });
        return;
      case 'fatal':
        void this.#end(action.code, `the room ended: ${action.code}`);
        return;
      case 'wake':
        return this.#roomWaker.wakeAt(action.at);
    }
  }

  #peerMessage(key: PeerKey, message: PeerMessage): void {
    if (message.t !== 'chat') return this.#members.event(key, { type: 'message', message });
    const member = this.#room.view().members.find((one) => one.key === key);
    if (member && !member.blocked) this.#chat.heard(member, message);
  }

  /** To every member at once; throws WarrenError('not-joined') before there is a room. */
  #say(text: string): null {
    const { state, publicKey, nick, members } = this.#room.view();
    if (state === 'off' || state === 'joining') throw new WarrenError('not-joined', 'not in the room yet');
    const message = this.#chat.say({ key: publicKey, nick }, text);
    for (const { key, blocked } of members) {
      if (!blocked) this.#roomEvent({ type: 'send', peer: key, message });
    }
    this.#publishSoon();
    return null;
  }

  async #compute(job: number, request: Parameters<CryptoPort['run']>[0]): Promise<void> {
    const result = await this.#ports.crypto.run(request).catch(() => ({ kind: 'failed' }) as const);
    this.#roomEvent({ type: 'crypto', job, result });
  }

  #onDevice(batch: DeviceEvent[]): void {
    for (const event of batch) {
      if (event.type === 'stun') this.#nats.stun(event);
      else if (event.type === 'message') this.#tunnelSignal(event.peer, event.bytes);
      else if (event.type === 'failed') void this.#end('internal', `the tunnel device failed: ${event.code}`);
      else if (event.type === 'socket-error') this.#ports.log('debug', `socket ${event.socket}: ${event.code}`);
      else if (event.type !== 'packet') this.#members.device(event);
    }
    this.#publishSoon();
  }

  #tunnelSignal(id: PeerId, payload: Uint8Array): void {
    const peer = this.#members.keyOf(id);
    if (peer) this.#roomEvent({ type: 'tunnel-frame', peer, payload });
  }

  #onWelcome(): void {
    this.#nats.setServers([...this.#servers.stunServers(), ...this.#options.stun]);
    this.#nats.tcpReachable();
  }

  #onNetworkChanged(): void {
    this.#nats.networkChanged(this.#ports.interfaces.addresses());
    this.#members.everyone({ type: 'network-changed' });
    this.#giveLocal();
  }

  #nat(): NatReport {
    return { ...this.#nats.report(), portMapping: { state: this.#settings.portMapping ? 'none' : 'off' } };
  }

  #giveLocal(): void {
    const main = (id: 0 | 1) => this.#device.sockets().find((socket) => socket.id === id)?.port ?? null;
    const candidates = gatherCandidates({
      hostAddresses: this.#ports.interfaces.addresses(),
      ports: { v4: main(0), v6: main(1) },
      reflexive: this.#nats.candidates(),
      static: this.#options.staticCandidates,
      relayOnly: this.#settings.relayOnly,
    });
    this.#members.giveLocal(candidates, this.#nat());
    this.#publishSoon();
  }

  #configureTun(...addresses: string[]): void {
    this.#tunWork = this.#tunWork
      .then(() => this.#ports.tun.configure({ addresses, routes: [] }))
      .catch((error: unknown) => {
        this.#ports.log('error', `cannot set ${addresses.join(', ')}: ${String(error)}`);
        void this.#end('internal', `cannot set the interface's addresses: ${String(error)}`);
      });
  }

  #remember(memory: RoomMemory): void {
    try {
      this.#ports.store.save(encodeMemory(memory));
    } catch (error) {
      this.#ports.log('warn', `the room could not be saved: ${String(error)}`);
      this.#notices = addNotice(this.#notices, { code: 'disk', at: Math.round(this.#ports.clock.epoch()) });
    }
  }

  #set(setting: 'port-mapping' | 'hard-nat', on: boolean): void {
    this.#settings = { ...this.#settings, [setting === 'port-mapping' ? 'portMapping' : 'hardNat']: on };
    this.#options.saveSettings(this.#settings);
    this.#post(() => this.#giveLocal());
  }

  #find(name: string): { key: PeerKey; nick: string; ipv4: string | null } {
    const { members } = this.#room.view();
    const found =
      members.find((m) => m.key === name || m.ipv4 === name || m.ipv6 === name) ??
      members.find((m) => m.nick === name) ??
      members.find((m) => m.nick.toLowerCase() === name.toLowerCase());
    if (!found) throw new WarrenError('no-such-member', `no member is called ${JSON.stringify(name)}`);
    return found;
  }

  #invite(): string {
    const { room, password, servers } = this.#options;
    if (password === null)
      throw new WarrenError('invalid', 'this room was joined from memory: its password is not known here');
    return encodeInvite({ name: room, password, servers });
  }

  #build(): Snapshot {
    if (this.#ended && this.#published) return this.#published;
    return buildSnapshot(this.#ports.clock, {
      name: this.#options.room,
      room: this.#room.view(),
      nat: this.#nat(),
      interfaceName: this.#ports.tun.name,
      members: this.#members.all(),
      notices: this.#notices,
      settings: this.#settings,
      chat: this.#chat.messages(),
    });
  }

  #publishSoon(): void {
    if (this.#publishing || this.#ended || this.#listeners.size === 0) return;
    this.#publishing = true;
    const { clock } = this.#ports;
    const cancel = clock.at(clock.now() + PUBLISH_MS, () => {
      this.#publishing = false;
      this.#stops.splice(this.#stops.indexOf(cancel), 1);
      if (this.#ended) return;
      const snapshot = this.#build();
      for (const listener of this.#listeners) listener(snapshot);
    });
    this.#stops.push(cancel);
  }
}

/** The room's IPv4 prefix or its ULA /64. */
function isInRoom(ip: string, { ipv4, prefixLength, ipv6 }: RoomView): boolean {
  const address = ipaddr.parse(ip);
  if (address instanceof ipaddr.IPv6) return address.match(ipaddr.IPv6.parse(ipv6), 64);
  return ipv4 !== null && address.match(ipaddr.IPv4.parse(ipv4), prefixLength);
}

/** The remembered room, or null where there is none or the file is not to be read. */
function readMemory(ports: EnginePorts): RoomMemory | null {
  const bytes = ports.store.load();
  if (bytes === null) return null;
  const memory = decodeMemory(bytes);
  if (memory === null) ports.log('warn', 'the remembered room is damaged and will be written anew');
  return memory;
}
