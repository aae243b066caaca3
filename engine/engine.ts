/**
 * The engine: drives the pure cores with the world's events. A packet's life begins here only when it is a signal or
 * relayed; everything else passes below, in the device.
 *
 * 1. The room core says whom to trust: `peer-up` installs a device peer and its traversal core.
 * 2. NAT discovery and interfaces give candidates; each traversal core sends them to its member and probes.
 * 3. Traversal decides the path; the device sends along it. `external` packets leave through `Servers`.
 * 4. Every change ends in one immutable snapshot.
 */
import { type Command, SETTING_KEYS, type SettingName, type Snapshot } from '../protocol/app.ts';
import { DISCOVERY_OFF } from '../protocol/discovery.ts';
import { type ErrorCode, WarrenError } from '../protocol/errors.ts';
import { encodeInvite } from '../protocol/invite.ts';
import type { PeerMessage } from '../protocol/peer.ts';
import { isPunchMessage } from '../protocol/punch.ts';
import { Chat } from './chat.ts';
import type { Engine } from './contract.ts';
import { Budget } from './core/budget.ts';
import type { PeerKey, RoomAction, RoomCore, RoomEvent } from './core/room/contract.ts';
import { createRoom } from './core/room/room.ts';
import { Inbox } from './inbox.ts';
import { LongShots } from './long-shots.ts';
import { findMember, isInRoom } from './lookup.ts';
import { Members } from './members.ts';
import { readMemory } from './memory.ts';
import { Network } from './network.ts';
import { NewRemotes } from './new-remotes.ts';
import type { EngineOptions, EnginePorts } from './options.ts';
import type { CryptoPort, DeviceEvent, DevicePort, PeerId } from './ports.ts';
import { Publisher } from './publisher.ts';
import { Punches } from './punches.ts';
import { Saver } from './saver.ts';
import { Servers } from './servers.ts';
import { Services } from './services.ts';
import { addNotice, buildSnapshot, type Notice } from './snapshot.ts';
import { Waker } from './wake.ts';

/** Counters are read this often: a quarter of the time in which a dead path must be replaced. */
const SAMPLE_MS = 250;
/** Ping figures and counters move without an event: published at this pace while someone watches. */
const REFRESH_MS = 1_000;

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
  readonly #network: Network;
  readonly #roomWaker: Waker;
  readonly #members: Members;
  readonly #punches: Punches;
  readonly #longShots: LongShots;
  readonly #chat: Chat;
  readonly #services: Services;
  readonly #saver: Saver;
  readonly #inbox = new Inbox(() => this.#newRemotes.review());
  readonly #newRemotes: NewRemotes;
  readonly #publisher: Publisher;
  readonly #stops: (() => void)[] = [];
  #notices: Notice[] = [];
  #settings: Snapshot['settings'];
  #ended = false;
  #settle!: (end: { code: ErrorCode | null; message: string }) => void;
  #stopping: Promise<void> | null = null;

  constructor(ports: EnginePorts, options: EngineOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#settings = options.settings;
    this.#chat = new Chat(ports.clock, ports.random);
    this.#saver = new Saver(ports, () => this.#notice({ code: 'disk' }));
    this.#publisher = new Publisher(ports.clock, () => this.#build());
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
      ...(ports.primitives && { primitives: ports.primitives }),
      ...(options.scryptN ? { scryptN: options.scryptN } : {}),
    });
    this.#servers = new Servers(ports.rendezvous, {
      open: (server) => this.#roomEvent({ type: 'server-open', server }),
      message: (server, message) => {
        this.#roomEvent({ type: 'server-message', server, message });
        if (message.t === 'welcome') this.#inbox.post(() => this.#network.welcomed());
        else this.#network.tcpReachable();
      },
      signal: (server, member, payload) => this.#roomEvent({ type: 'server-frame', server, member, payload }),
      relayed: (server, member, payload) => this.#members.relayed(server, member, payload),
      closed: (server, code) => this.#roomEvent({ type: 'server-closed', server, code }),
    });
    const budget = new Budget();
    this.#network = new Network({
      ports,
      options,
      device: ports.createDevice(this.#room.view().privateKey),
      budget,
      servers: this.#servers,
      settings: () => this.#settings,
      post: (work) => this.#inbox.post(work),
      offer: (candidates, nat) => {
        this.#members.giveLocal(candidates, nat);
        this.#publisher.soon();
      },
      moved: () => {
        this.#members.everyone({ type: 'network-changed' });
        this.#punches.networkChanged();
        this.#roomEvent({ type: 'network-changed' });
      },
    });
    this.#device = this.#network.device;
    const dependentMappings = () => this.#network.dependentMappings();
    this.#newRemotes = new NewRemotes({ clock: ports.clock, device: this.#device, budget, dependentMappings });
    this.#members = new Members({
      clock: ports.clock,
      log: ports.log,
      device: this.#device,
      budget,
      newRemotes: this.#newRemotes,
      servers: this.#servers,
      ownKey: this.#room.view().publicKey,
      relayOnly: options.settings.relayOnly,
      inRoom: (ip) => isInRoom(ip, this.#room.view()),
      serverUrls: options.servers,
      post: (work) => this.#inbox.post(work),
      send: (peer, message) => this.#roomEvent({ type: 'send', peer, message }),
      begin: (way, payload) => this.#roomEvent({ type: 'tunnel-begin', ...way, payload }),
      alive: (peer) => this.#roomEvent({ type: 'peer-alive', peer }),
      changed: () => this.#publisher.soon(),
      floods: (peer) => this.#onFlood(peer),
      dependentMappings,
      punching: (peer) => this.#punches.view(peer)?.strategy ?? null,
      pathChanged: () => {
        this.#watchNetwork();
        this.#inbox.post(() => this.#punches.review());
        this.#publisher.soon();
      },
    });
    this.#punches = new Punches({
      clock: ports.clock,
      random: ports.random,
      log: ports.log,
      device: this.#device,
      budget,
      members: this.#members,
      ownKey: this.#room.view().publicKey,
      nat: () => this.#network.report(),
      dependentMappings,
      settled: () => this.#network.settled(),
      answering: (turn) => this.#network.answering(turn),
      settings: () => this.#settings,
      post: (work) => this.#inbox.post(work),
      send: (peer, message) => this.#roomEvent({ type: 'send', peer, message }),
      changed: () => this.#publisher.soon(),
    });
    this.#longShots = new LongShots({
      clock: ports.clock,
      random: ports.random,
      budget,
      members: this.#members,
      punches: this.#punches,
      ownKey: this.#room.view().publicKey,
      nat: () => this.#network.report(),
      settings: () => this.#settings,
      send: (peer, message) => this.#roomEvent({ type: 'send', peer, message }),
      changed: () => this.#publisher.soon(),
    });
    this.#services = new Services({
      ports,
      options,
      device: this.#device,
      members: this.#members,
      room: () => this.#room.view(),
      post: (work) => this.#inbox.post(work),
      send: (peer, message) => this.#roomEvent({ type: 'send', peer, message }),
      changed: () => this.#publisher.soon(),
      failed: (message) => void this.#end('internal', message),
    });
    this.#roomWaker = new Waker(ports.clock, () => this.#roomEvent({ type: 'tick' }));
    this.#device.onEvents((batch) => this.#inbox.post(() => this.#onDevice(batch)));
    this.#every(SAMPLE_MS, () => {
      this.#members.sample();
      this.#punches.review();
      this.#longShots.review();
    });
    this.#every(REFRESH_MS, () => this.#publisher.soon());
    this.#network.start();
    this.#services.start();
    this.#roomEvent({ type: 'start' });
  }

  snapshot(): Snapshot {
    return this.#publisher.now();
  }

  subscribe(listener: (snapshot: Snapshot) => void): () => void {
    return this.#publisher.subscribe(listener);
  }

  async command(command: Command): Promise<unknown> {
    if (this.#ended) throw new WarrenError('not-running', 'the engine has ended');
    switch (command.type) {
      case 'status':
      case 'watch':
        return this.#publisher.now();
      case 'down':
        void this.stop();
        return null;
      case 'set':
        this.#set(command.setting, command.on);
        return this.#settings;
      case 'filter':
        this.#services.setPreset(command.preset);
        return null;
      case 'policy':
        this.#services.setPolicy(command.text);
        return null;
      case 'block': {
        const peer = findMember(this.#room.view(), command.peer).key;
        this.#roomEvent({ type: 'block', peer, on: command.on });
        return null;
      }
      case 'long-shot':
        return this.#longShots.command(findMember(this.#room.view(), command.peer).key, command.action);
      case 'invite':
        return { link: this.#invite() };
      case 'discovery-check':
        return await this.#services.checkDiscovery();
      case 'ping':
        return await this.#members.ping(findMember(this.#room.view(), command.peer), command.timeoutMs);
      case 'chat':
        return this.#say(command.text);
      case 'send-file':
        return { id: await this.#services.files().offer(findMember(this.#room.view(), command.peer), command.path) };
      case 'file':
        await this.#services.files().act(command.id, command.action);
        return null;
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
    this.#inbox.close();
    this.#publisher.stop();
    for (const stop of this.#stops) stop();
    this.#saver.flush();
    this.#roomWaker.stop();
    const unmapped = this.#network.stop();
    this.#punches.stop();
    this.#members.stop();
    this.#servers.close();
    this.#ports.crypto.close();
    await this.#services.stop();
    await this.#device.close();
    await unmapped;
    this.#publisher.end({
      version: 1,
      state: 'off',
      room: null,
      self: null,
      peers: [],
      notices: this.#notices,
      settings: this.#settings,
      chat: [...this.#chat.messages()],
      discovery: DISCOVERY_OFF,
    });
    this.#settle({ code, message });
  }

  #every(periodMs: number, work: () => void): void {
    const { clock } = this.#ports;
    let cancel = () => {};
    const again = () => {
      cancel = clock.at(clock.now() + periodMs, () => {
        this.#inbox.post(work);
        again();
      });
    };
    again();
    this.#stops.push(() => cancel());
  }

  #roomEvent(event: RoomEvent): void {
    this.#inbox.post(() => {
      for (const action of this.#room.handle(this.#ports.clock.now(), event)) this.#roomAction(action);
      this.#services.review();
      this.#publisher.soon();
    });
  }

  #roomAction(action: RoomAction): void {
    switch (action.type) {
      case 'connect':
        return this.#servers.connect(action.server, action.url, action.hello);
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
      case 'tunnel-packet':
        return this.#members.received(action.peer, action.payload);
      case 'peer-proven':
        this.#members.proven(action.peer);
        this.#network.give();
        return this.#watchNetwork();
      case 'peer-down':
        this.#ports.log('info', `member ${action.peer} is gone (${action.reason})`);
        this.#members.down(action.peer);
        // Before it may come up again: nothing of its former process is left.
        return this.#punches.review();
      case 'peer-routes':
        return this.#members.routes(action.peer, action.routes);
      case 'peer-message':
        return this.#peerMessage(action.peer, action.message);
      case 'self-address':
        return this.#services.addressed(action.ipv4, action.prefixLength, action.ipv6);
      case 'peer-address':
        return this.#members.address(action.peer, action.ipv4, action.ipv6);
      case 'remember':
        return this.#saver.soon(action.memory);
      case 'notice':
        this.#ports.log('info', `notice ${action.code}${action.nick ? ` ${action.nick}` : ''}`);
        return this.#notice({ code: action.code, ...(action.nick ? { nick: action.nick } : {}) });
      case 'fatal':
        void this.#end(action.code, `the room ended: ${action.code}`);
        return;
      case 'wake':
        return this.#roomWaker.wakeAt(action.at);
    }
  }

  #notice(notice: Omit<Notice, 'at'>): void {
    this.#notices = addNotice(this.#notices, { ...notice, at: Math.round(this.#ports.clock.epoch()) });
    this.#publisher.soon();
  }

  #onFlood(key: PeerKey): void {
    const nick = this.#room.view().members.find((one) => one.key === key)?.nick;
    this.#ports.log('warn', `member ${key} floods the room with broadcasts`);
    this.#notice({ code: 'flood', ...(nick && { nick }) });
  }

  #peerMessage(key: PeerKey, message: PeerMessage): void {
    if (isPunchMessage(message)) {
      if (!this.#longShots.message(key, message)) this.#punches.message(key, message);
      return;
    }
    if (message.t === 'file-offer' || message.t === 'file-end') return this.#services.fileMessage(key, message);
    if (message.t !== 'chat') {
      this.#members.event(key, { type: 'message', message });
      return this.#punches.review();
    }
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
    this.#publisher.soon();
    return null;
  }

  async #compute(job: number, request: Parameters<CryptoPort['run']>[0]): Promise<void> {
    const result = await this.#ports.crypto.run(request).catch(() => ({ kind: 'failed' }) as const);
    this.#roomEvent({ type: 'crypto', job, result });
  }

  #onDevice(batch: DeviceEvent[]): void {
    for (const event of batch) {
      if (event.type === 'stun') this.#onStun(event);
      else if (event.type === 'message') this.#tunnelSignal(event.peer, event.bytes);
      else if (event.type === 'failed') void this.#end('internal', `the tunnel device failed: ${event.code}`);
      else if (event.type === 'socket-error') this.#ports.log('debug', `socket ${event.socket}: ${event.code}`);
      else if (event.type === 'discovery') this.#services.discovered(event);
      else if (event.type !== 'packet') this.#onPeer(event);
    }
  }

  #onPeer(event: Exclude<Extract<DeviceEvent, { peer: PeerId }>, { type: 'discovery' }>): void {
    if (event.type === 'ping') this.#members.answered(event);
    const probe = event.type === 'ping' || event.type === 'pong' ? event : null;
    // It waited here while its socket was closed, or came in by one of NAT discovery's: no path can leave by those.
    if (probe !== null && probe.via !== 'external' && !this.#punches.carries(probe.via.socket)) return;
    this.#members.device(event);
    if (probe !== null) this.#punches.heard(probe);
  }

  #onStun(event: Extract<DeviceEvent, { type: 'stun' }>): void {
    if (!this.#punches.stun(event)) this.#network.stun(event);
  }

  #tunnelSignal(id: PeerId, payload: Uint8Array): void {
    const peer = this.#members.keyOf(id);
    if (peer) this.#roomEvent({ type: 'tunnel-frame', peer, payload });
  }

  #watchNetwork(): void {
    this.#network.watch(this.#members.someRelayed());
  }

  #set(setting: SettingName, on: boolean): void {
    this.#settings = { ...this.#settings, [SETTING_KEYS[setting]]: on };
    this.#options.saveSetting(setting, on);
    this.#inbox.post(() => {
      this.#network.settingsChanged();
      this.#punches.review();
      this.#services.setDiscovery(this.#settings.discovery);
    });
  }

  #invite(): string {
    const { room, password, servers } = this.#options;
    if (password === null)
      throw new WarrenError('invalid', 'this room was joined from memory: its password is not known here');
    return encodeInvite({ name: room, password, servers });
  }

  #build(): Snapshot {
    return buildSnapshot(this.#ports.clock, {
      name: this.#options.room,
      room: this.#room.view(),
      nat: this.#network.report(),
      interfaceName: this.#ports.tun.name,
      members: this.#members.all(),
      punches: this.#punches,
      longShots: this.#longShots,
      notices: this.#notices,
      settings: this.#settings,
      chat: this.#chat.messages(),
      discovery: this.#services.discovery(),
      filters: this.#services.filters,
      names: this.#ports.names?.view() ?? null,
      files: this.#ports.files?.view(),
      device: this.#device.stats(),
    });
  }
}
