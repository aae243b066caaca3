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
import { DISCOVERY_OFF, type DiscoveryCheck } from '../protocol/discovery.ts';
import { type ErrorCode, WarrenError } from '../protocol/errors.ts';
import { encodeInvite } from '../protocol/invite.ts';
import type { NatReport } from '../protocol/nat.ts';
import type { PeerMessage } from '../protocol/peer.ts';
import { isPunchMessage } from '../protocol/punch.ts';
import { Chat } from './chat.ts';
import type { Engine } from './contract.ts';
import { Budget } from './core/budget.ts';
import { gatherCandidates } from './core/candidates/gather.ts';
import { dependsOnDestination } from './core/nat/fresh.ts';
import type { PeerKey, RoomAction, RoomCore, RoomEvent } from './core/room/contract.ts';
import { createRoom } from './core/room/room.ts';
import { Discovery } from './discovery/discovery.ts';
import { Filters } from './filter/filters.ts';
import { type PolicyResult, parsePolicy } from './filter/policy.ts';
import { Inbox } from './inbox.ts';
import { findMember, isInRoom } from './lookup.ts';
import { Mappings, type TunnelPorts } from './mappings.ts';
import { Members } from './members.ts';
import { readMemory } from './memory.ts';
import { namesOf } from './names/labels.ts';
import { Nat64, Nat64Device } from './nat64.ts';
import { Nats } from './nats.ts';
import type { EngineOptions, EnginePorts } from './options.ts';
import type { CryptoPort, DeviceEvent, DevicePort, FilesPort, PeerId } from './ports.ts';
import { Publisher } from './publisher.ts';
import { Punches } from './punches.ts';
import { Saver } from './saver.ts';
import { Servers } from './servers.ts';
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
  readonly #nat64: Nat64;
  readonly #nats: Nats;
  readonly #mappings: Mappings;
  readonly #roomWaker: Waker;
  readonly #members: Members;
  readonly #punches: Punches;
  readonly #chat: Chat;
  readonly #discovery: Discovery;
  readonly #filters: Filters;
  readonly #saver: Saver;
  readonly #inbox = new Inbox();
  readonly #publisher: Publisher;
  readonly #stops: (() => void)[] = [];
  #notices: Notice[] = [];
  #settings: Snapshot['settings'];
  #tunWork: Promise<void> = Promise.resolve();
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
      ...(options.scryptN ? { scryptN: options.scryptN } : {}),
    });
    this.#nat64 = new Nat64({
      port: ports.nat64,
      clock: ports.clock,
      log: ports.log,
      changed: () =>
        this.#inbox.post(() => {
          device.retranslate();
          this.#remeasure();
        }),
    });
    const device = new Nat64Device(ports.createDevice(this.#room.view().privateKey), this.#nat64);
    this.#device = device;
    this.#servers = new Servers(ports.rendezvous, {
      open: (server) => this.#roomEvent({ type: 'server-open', server }),
      message: (server, message) => {
        this.#roomEvent({ type: 'server-message', server, message });
        if (message.t === 'welcome') this.#inbox.post(() => this.#onWelcome());
        else this.#nats.tcpReachable();
      },
      signal: (server, member, payload) => this.#roomEvent({ type: 'server-frame', server, member, payload }),
      relayed: (server, member, payload) => this.#members.relayed(server, member, payload),
      closed: (server, code) => this.#roomEvent({ type: 'server-closed', server, code }),
    });
    const budget = new Budget();
    this.#members = new Members({
      clock: ports.clock,
      log: ports.log,
      device: this.#device,
      budget,
      servers: this.#servers,
      ownKey: this.#room.view().publicKey,
      relayOnly: options.settings.relayOnly,
      inRoom: (ip) => isInRoom(ip, this.#room.view()),
      serverUrls: options.servers,
      post: (work) => this.#inbox.post(work),
      send: (peer, message) => this.#roomEvent({ type: 'send', peer, message }),
      alive: (peer) => this.#roomEvent({ type: 'peer-alive', peer }),
      changed: () => this.#publisher.soon(),
      dependentMappings: () => this.#nats.dependentMappings(),
      punching: (peer) => this.#punches.view(peer)?.strategy ?? null,
      pathChanged: () => {
        this.#watchNats();
        this.#inbox.post(() => this.#punches.review());
        this.#publisher.soon();
      },
    });
    this.#nats = new Nats(
      ports,
      this.#device,
      budget,
      addresses,
      () => this.#inbox.post(() => this.#giveLocal()),
      // A relay needs no mapping kept.
      !options.settings.relayOnly,
    );
    this.#mappings = new Mappings(ports.mapping, this.#tunnelPorts(), () => this.#inbox.post(() => this.#giveLocal()));
    this.#punches = new Punches({
      clock: ports.clock,
      random: ports.random,
      log: ports.log,
      device: this.#device,
      budget,
      members: this.#members,
      ownKey: this.#room.view().publicKey,
      nat: () => this.#nat(),
      dependentMappings: () => this.#nats.dependentMappings(),
      settled: () => this.#nats.settled(),
      answering: () => this.#nats.answering(),
      settings: () => this.#settings,
      post: (work) => this.#inbox.post(work),
      send: (peer, message) => this.#roomEvent({ type: 'send', peer, message }),
      changed: () => this.#publisher.soon(),
    });
    this.#discovery = new Discovery({
      clock: ports.clock,
      inRoom: (ip) => isInRoom(ip, this.#room.view()),
      device: this.#device,
      lan: ports.lan,
      hasInterface: ports.tun.name !== null,
      on: this.#settings.discovery,
      games: options.games,
      configure: () => this.#configureTun(),
    });
    this.#filters = new Filters({
      device: this.#device,
      preset: options.filter?.preset ?? 'games',
      policy: options.filter?.policy ?? null,
      peerOf: (key) => this.#members.get(key)?.id,
    });
    this.#roomWaker = new Waker(ports.clock, () => this.#roomEvent({ type: 'tick' }));
    this.#device.onEvents((batch) => this.#inbox.post(() => this.#onDevice(batch)));
    this.#stops.push(ports.interfaces.watch(() => this.#inbox.post(() => this.#onNetworkChanged())));
    if (options.filter)
      this.#stops.push(options.filter.watch((result) => this.#inbox.post(() => this.#onPolicy(result))));
    this.#every(SAMPLE_MS, () => {
      this.#members.sample();
      this.#punches.review();
    });
    this.#every(REFRESH_MS, () => this.#publisher.soon());
    if (options.stun.length > 0) this.#setStunServers();
    this.#nat64.look();
    this.#mappings.set(this.#wantsMapping());
    ports.files?.start({
      send: (peer, message) => this.#roomEvent({ type: 'send', peer, message }),
      open: (peer, port) => this.#open(peer, port),
      changed: () => this.#publisher.soon(),
    });
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
        this.#filters.setPreset(command.preset);
        this.#options.filter?.savePreset(command.preset);
        return this.#reviewFilter();
      case 'policy':
        return this.#setPolicy(command.text);
      case 'block': {
        const peer = findMember(this.#room.view(), command.peer).key;
        this.#roomEvent({ type: 'block', peer, on: command.on });
        return null;
      }
      case 'invite':
        return { link: this.#invite() };
      case 'discovery-check':
        return await this.#checkDiscovery();
      case 'ping':
        return await this.#members.ping(findMember(this.#room.view(), command.peer), command.timeoutMs);
      case 'chat':
        return this.#say(command.text);
      case 'send-file':
        return { id: await this.#files().offer(findMember(this.#room.view(), command.peer), command.path) };
      case 'file':
        await this.#files().act(command.id, command.action);
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
    this.#nat64.stop();
    this.#nats.stop();
    this.#punches.stop();
    this.#members.stop();
    this.#servers.close();
    this.#ports.crypto.close();
    const unmapped = this.#mappings.stop();
    this.#discovery.stop();
    await this.#tunWork;
    await this.#ports.names?.stop();
    await this.#ports.files?.stop();
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
      this.#reviewRoom();
      this.#publisher.soon();
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
        return this.#watchNats();
      case 'peer-down':
        this.#ports.log('info', `member ${action.peer} is gone (${action.reason})`);
        return this.#members.down(action.peer);
      case 'peer-routes':
        return this.#members.routes(action.peer, action.routes);
      case 'peer-message':
        return this.#peerMessage(action.peer, action.message);
      case 'self-address':
        return this.#discovery.addressed(action.ipv4, action.prefixLength, action.ipv6);
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

  #peerMessage(key: PeerKey, message: PeerMessage): void {
    if (isPunchMessage(message)) return this.#punches.message(key, message);
    if (message.t === 'file-offer' || message.t === 'file-end') {
      const from = this.#room.view().members.find((one) => one.key === key);
      if (from && !from.blocked) this.#ports.files?.message(from, message);
      return;
    }
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
      else if (event.type === 'discovery') this.#onDiscovery(event);
      else if (event.type !== 'packet') this.#onPeer(event);
    }
  }

  #onDiscovery(event: Extract<DeviceEvent, { type: 'discovery' }>): void {
    const member = event.peer === null ? this.#room.view().publicKey : this.#members.keyOf(event.peer);
    if (member) this.#discovery.heard(member, event);
  }

  #isHere(key: PeerKey): boolean {
    return key === this.#room.view().publicKey || this.#members.get(key) !== undefined;
  }

  async #checkDiscovery(): Promise<DiscoveryCheck> {
    const heard = await this.#discovery.check();
    const members = this.#room.view().members.filter(({ proven, blocked }) => proven && !blocked);
    return {
      members: members.map(({ nick, ipv4 }) => {
        const times = heard.get(ipv4 ?? '') ?? { broadcastMs: null, multicastMs: null };
        return { nick, ipv4, ...times };
      }),
    };
  }

  #onPeer(event: Exclude<Extract<DeviceEvent, { peer: PeerId }>, { type: 'discovery' }>): void {
    const probe = event.type === 'ping' || event.type === 'pong' ? event : null;
    // It waited here while its socket was closed, or came in by one of NAT discovery's: no path can leave by those.
    if (probe !== null && probe.via !== 'external' && !this.#punches.carries(probe.via.socket)) return;
    this.#members.device(event);
    if (probe !== null) this.#punches.heard(probe);
  }

  #onStun(event: Extract<DeviceEvent, { type: 'stun' }>): void {
    if (!this.#punches.stun(event)) this.#nats.stun(event);
  }

  #tunnelSignal(id: PeerId, payload: Uint8Array): void {
    const peer = this.#members.keyOf(id);
    if (peer) this.#roomEvent({ type: 'tunnel-frame', peer, payload });
  }

  #onWelcome(): void {
    this.#setStunServers();
    this.#nats.tcpReachable();
  }

  #setStunServers(): void {
    const servers = [...this.#servers.stunServers(), ...this.#options.stun];
    this.#nats.setServers(servers.map((server) => this.#nat64.server(server)));
  }

  /** The mapping that a server sees carries friends' packets where it lets everyone in, and only asking the server keeps it. */
  #watchNats(): void {
    const { mapping, filtering } = this.#nats.report();
    const carries = dependsOnDestination(mapping) && filtering === 'endpoint-independent';
    this.#nats.watch(carries || this.#members.someRelayed());
  }

  #onNetworkChanged(): void {
    this.#nat64.look();
    this.#remeasure();
  }

  #remeasure(): void {
    this.#setStunServers();
    this.#servers.check();
    this.#nats.networkChanged(this.#ports.interfaces.addresses());
    this.#mappings.refresh();
    this.#members.everyone({ type: 'network-changed' });
    this.#punches.networkChanged();
    this.#giveLocal();
  }

  #nat(): NatReport {
    return { ...this.#mappings.describe(this.#nats.report()), nat64: this.#nat64.active };
  }

  /** With relay only nobody would learn of the port. */
  #wantsMapping(): boolean {
    return this.#settings.portMapping && !this.#settings.relayOnly;
  }

  #tunnelPorts(): TunnelPorts {
    const portOf = (id: 0 | 1) => this.#device.sockets().find((socket) => socket.id === id)?.port ?? null;
    return { v4: portOf(0), v6: portOf(1) };
  }

  #giveLocal(): void {
    const candidates = gatherCandidates({
      hostAddresses: this.#ports.interfaces.addresses(),
      ports: this.#tunnelPorts(),
      reflexive: this.#nats.candidates(),
      mapped: this.#mappings.candidates(),
      pinholed: this.#mappings.pinholes(),
      static: this.#options.staticCandidates,
      relayOnly: this.#settings.relayOnly,
    });
    const nat = this.#nat();
    this.#mappings.seen(nat.publicAddresses);
    this.#members.giveLocal(candidates, nat);
    this.#publisher.soon();
  }

  #configureTun(): void {
    const { addresses } = this.#discovery;
    this.#tunWork = this.#tunWork
      .then(() => this.#ports.tun.configure({ addresses, routes: this.#discovery.routes }))
      .then(() => this.#discovery.configured())
      .catch((error: unknown) => {
        this.#ports.log('error', `cannot set ${addresses.join(', ')}: ${String(error)}`);
        void this.#end('internal', `cannot set the interface's addresses: ${String(error)}`);
      });
  }

  #set(setting: SettingName, on: boolean): void {
    this.#settings = { ...this.#settings, [SETTING_KEYS[setting]]: on };
    this.#options.saveSetting(setting, on);
    this.#inbox.post(() => {
      this.#mappings.set(this.#wantsMapping());
      this.#discovery.set(this.#settings.discovery);
      this.#giveLocal();
    });
  }

  /** Throws WarrenError('invalid') with the line of what is wrong. */
  #setPolicy(text: string | null): null {
    const result = text === null ? null : parsePolicy(text);
    if (result?.ok === false)
      throw new WarrenError('invalid', `line ${result.problem.line}: ${result.problem.message}`);
    this.#filters.setPolicy(result && { file: null, policy: result.policy });
    this.#options.filter?.savePolicy(text);
    return this.#reviewFilter();
  }

  #onPolicy(result: PolicyResult): void {
    if (result.ok) this.#filters.setPolicy({ file: this.#filters.view().policy?.file ?? null, policy: result.policy });
    else this.#filters.refuse(result.problem);
    this.#ports.log(
      result.ok ? 'info' : 'warn',
      result.ok ? 'the policy was read again' : `policy: ${result.problem.message}`,
    );
    this.#reviewFilter();
  }

  /** What follows from who is in the room. */
  #reviewRoom(): void {
    const room = this.#room.view();
    this.#filters.review(room);
    if (room.ipv4 === null || this.#ended) return;
    const { ipv4, prefixLength } = room;
    const names = {
      hosts: namesOf(room),
      ipv4,
      prefixLength,
      inRoom: (ip: string) => isInRoom(ip, room),
      ready: this.#tunWork,
    };
    this.#ports.files?.room({ ipv4, members: room.members.filter(({ proven, blocked }) => proven && !blocked) });
    this.#ports.names?.update(names, () => this.#publisher.soon());
  }

  /** Throws WarrenError('unsupported') where nothing could carry a file. */
  #files(): FilesPort {
    const { files } = this.#ports;
    if (!files) throw new WarrenError('unsupported', 'files need the network interface: start without --no-tun');
    return files;
  }

  /** A door for one member to one TCP port of this host. */
  #open(key: PeerKey, port: number): () => void {
    const close = this.#filters.open(key, { action: 'accept', protocol: 'tcp', ports: [[port, port]] });
    this.#reviewFilter();
    return () => {
      close();
      if (!this.#ended) this.#reviewFilter();
    };
  }

  #reviewFilter(): null {
    this.#inbox.post(() => this.#filters.review(this.#room.view()));
    this.#publisher.soon();
    return null;
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
      nat: this.#nat(),
      interfaceName: this.#ports.tun.name,
      members: this.#members.all(),
      punches: this.#punches,
      notices: this.#notices,
      settings: this.#settings,
      chat: this.#chat.messages(),
      discovery: this.#discovery.view((key) => this.#isHere(key)),
      filters: this.#filters,
      names: this.#ports.names?.view() ?? null,
      files: this.#ports.files?.view(),
    });
  }
}
