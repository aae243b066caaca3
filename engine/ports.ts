/**
 * What the engine needs from the world. The desktop app and the CLI give it real sockets; the simulator gives it
 * virtual ones, with the same engine on top. No `node:` import belongs here.
 */

import type { DeviceCounters } from '../protocol/app.ts';
import type { DiscoveryWay } from '../protocol/discovery.ts';
import type { FileAction, FileTransfer } from '../protocol/files.ts';
import type { PeerMessage } from '../protocol/peer.ts';
import type { BinaryFrame, ClientMessage, Hello, ServerMessage } from '../protocol/server.ts';
import type { MappingView, Transport } from './core/mapping/contract.ts';
import type { CryptoRequest, CryptoResult } from './core/room/contract.ts';
import type { NamedHost } from './names/labels.ts';

/** An IP endpoint; IPv6 without brackets. */
export interface Endpoint {
  ip: string;
  port: number;
}
export type SocketId = number;
export type PeerId = number;
/** `mtu`: longest IP packet that the way carries; longer inner packets leave as fragments. Default: no limit. */
export type Path = { kind: 'udp'; socket: SocketId; to: Endpoint; mtu?: number } | { kind: 'external' };
export type Via = { socket: SocketId; remote: Endpoint } | 'external';

/** Milliseconds; `now` is monotonic, `epoch` is Unix time. */
export interface ClockPort {
  now(): number;
  epoch(): number;
  /** Calls back once at or after `at` (of `now`); the result cancels. */
  at(at: number, callback: () => void): () => void;
}

/** Random bytes: cryptographic in the world, seeded in the simulator. */
export type RandomPort = (length: number) => Uint8Array;

export type DeviceEvent =
  | { type: 'stun'; socket: SocketId; from: Endpoint; bytes: Uint8Array; at: number }
  | {
      type: 'ping';
      peer: PeerId;
      via: Via;
      seq: number;
      answer: 'known' | 'new' | 'refused';
      newRemotes: number;
      at: number;
    }
  | { type: 'pong'; peer: PeerId; via: Via; seq: number; observed: Endpoint | null; rttMs: number; at: number }
  | { type: 'message'; peer: PeerId; via: Via; bytes: Uint8Array; at: number }
  | { type: 'outbound'; peer: PeerId; bytes: Uint8Array; express?: boolean }
  | { type: 'handshake'; peer: PeerId; at: number }
  | { type: 'peer-moved'; peer: PeerId; path: Path }
  | { type: 'packet'; bytes: Uint8Array }
  | { type: 'discovery'; peer: PeerId | null; from: Endpoint; to: Endpoint; bytes: Uint8Array; at: number }
  | { type: 'socket-error'; socket: SocketId; code: string }
  | { type: 'failed'; code: string };

/** Ports are this host's, both ends included; without `ports` any. `icmp` stands for echo requests of both families. */
export interface FilterRule {
  action: 'accept' | 'deny';
  protocol?: 'tcp' | 'udp' | 'icmp';
  ports?: [low: number, high: number][];
}
/** What a member may begin here: the first rule that matches decides. */
export interface FilterRules {
  rules: FilterRule[];
  otherwise: 'accept' | 'deny';
}
export interface FilterOptions extends FilterRules {
  destinations?: string[];
  directedBroadcast?: string;
}

export interface DevicePeerStats {
  peer: PeerId;
  rxBytes: number;
  txBytes: number;
  rxPackets: number;
  txPackets: number;
  filtered: number;
  lastHandshakeAt: number | null;
  lastReceivedAt: number | null;
  fanoutReceived: number;
  fanoutDropped: number;
}

export interface FanoutStats {
  sent: number;
  received: number;
  rateLimited: number;
  duplicates: number;
  loops: number;
}

/** The part of `node-wireguard`'s device that the engine uses; see native/types.ts for the meaning of each call. */
export interface DevicePort {
  addPeer(options: {
    publicKey: Uint8Array;
    presharedKey?: Uint8Array;
    allowedIps?: string[];
    fanout?: boolean;
    probe?: { sendKey: Uint8Array; receiveKey: Uint8Array };
    initiate?: boolean;
  }): PeerId;
  updatePeer(
    peer: PeerId,
    change: {
      presharedKey?: Uint8Array;
      allowedIps?: string[];
      fanout?: boolean;
      probe?: { sendKey: Uint8Array; receiveKey: Uint8Array };
      initiate?: boolean;
      filter?: FilterRules | null;
    },
  ): void;
  removePeer(peer: PeerId): void;
  setPath(peer: PeerId, path: Path | null, duplicate?: Path | null): void;
  openSockets(count: number, family: 4 | 6): { id: SocketId; family: 4 | 6; port: number }[];
  closeSockets(ids: SocketId[]): void;
  sockets(): { id: SocketId; family: 4 | 6; port: number }[];
  send(socket: SocketId, to: Endpoint, bytes: Uint8Array, options?: { ttl?: number }): boolean;
  ping(peer: PeerId, seq: number, via: Via, options?: { ttl?: number; size?: number; doubly?: boolean }): boolean;
  sendMessage(peer: PeerId, seq: number, via: Via, bytes: Uint8Array): boolean;
  receiveExternal(peer: PeerId, bytes: Uint8Array): void;
  setFilter(options: FilterOptions | null): void;
  setFanout(options: { directedBroadcast?: string; ownAddress?: string } | null): void;
  allowNewRemotes(total: number): void;
  stats(): DeviceCounters & { peers: DevicePeerStats[]; fanout: FanoutStats };
  onEvents(listener: (batch: DeviceEvent[]) => void): void;
  close(): Promise<void>;
}

/** One connection to one rendezvous server. Callbacks never come after `close`. */
export interface RendezvousConnection {
  send(message: ClientMessage): void;
  /**
   * false: dropped (the socket is not open or its queue is full). `express`: a relay frame passes those that wait, or not; by
   * its length where that is unknown.
   */
  frame(frame: BinaryFrame, express?: boolean): boolean;
  /** The host's network has changed: unless the server is heard soon, and at once where its own address is gone, it is `lost`. */
  check(): void;
  close(): void;
}
export interface RendezvousHandlers {
  /** The socket stands. `remoteIp` is the server's address as dialled, null behind a proxy. */
  open(remoteIp: string | null): void;
  message(message: ServerMessage): void;
  frame(frame: BinaryFrame): void;
  /** Once, for every end: refused, unreachable, lost, hostile. `error` is a short cause for the log. */
  closed(cause: { code: 'unreachable' | 'refused' | 'tls' | 'protocol' | 'lost' | 'timeout'; error?: string }): void;
}
export interface RendezvousPort {
  /** `hello` is said as soon as can be; without it the caller says it after `open`. */
  connect(url: string, handlers: RendezvousHandlers, hello?: Hello): RendezvousConnection;
}

/** scrypt and CPace off the main thread. */
export interface CryptoPort {
  run(request: CryptoRequest): Promise<CryptoResult>;
  close(): void;
}

export interface HostAddress {
  ip: string;
  family: 4 | 6;
  interface: string;
  /** Of the subnet, where the system tells. */
  prefixLength?: number;
  /** A tunnel of some other VPN: its candidates come last. */
  virtual: boolean;
}
export interface InterfacesPort {
  /** Unicast addresses of interfaces that are up, without loopback and without the tunnel itself. */
  addresses(): HostAddress[];
  /** Calls back after a change of addresses; the result stops it. */
  watch(changed: () => void): () => void;
}

export interface Nat64Port {
  /**
   * AAAA records that the system's resolver has for `ipv4only.arpa`. Empty where there are none, and without a question
   * where IPv4 leads out of this host. Rejects while the resolver does not answer.
   */
  addresses(): Promise<readonly string[]>;
}

/**
 * How broadcasts of this host get into the tunnel: the device copies those that leave by other interfaces; a route; the lowest metric
 * of all interfaces; not at all.
 */
export type BroadcastWay = Exclude<DiscoveryWay, 'off'>;

/** The tunnel interface's addresses; memory devices ignore it. */
export interface TunPort {
  readonly name: string | null;
  readonly way: BroadcastWay;
  /** `first`: what this host sends to everybody leaves by this interface, where `way` is `metric`. */
  configure(config: { addresses: string[]; routes: string[]; first: boolean }): Promise<void>;
}

/** What the names of a room are made of. */
export interface RoomNames {
  /** This host first. */
  hosts: readonly NamedHost[];
  ipv4: string;
  prefixLength: number;
  inRoom(ip: string): boolean;
  /** When the interface has the address. */
  ready: Promise<void>;
}
export interface NamesView {
  /** `system`: every program resolves them; `multicast`: those that ask by LLMNR or mDNS; `off`: none. */
  state: 'system' | 'multicast' | 'off';
  /** Where a DNS server answers this host, `ip:port`. */
  server: string | null;
}
/** Answers `nick.warren`, for this host. */
export interface NamesPort {
  view(): NamesView;
  /** At every change of the room; `changed` follows a change of the view. */
  update(names: RoomNames, changed: () => void): void;
  /** Idempotent. */
  stop(): Promise<void>;
}

/** What discovery needs of the host beside the tunnel device. */
export interface LanPort {
  /**
   * Joins multicast groups on the interface with this address, so that its system takes their packets in. The result
   * leaves them. A group that cannot be joined is logged.
   */
  join(groups: readonly string[], address: string): () => void;
  /** Answers probes from the room's addresses, as a game would hear them, until the result is called. */
  answerProbes(address: string, inRoom: (ip: string) => boolean): () => void;
  /** Says something to a group that only this host hears, on every interface but the one with the address `except`. */
  sayHere(group: string, port: number, bytes: Uint8Array, except: string): void;
  /** The same to the networks around this host, no further, and not to this host itself; virtual interfaces are left out. */
  sayAround(group: string, port: number, bytes: Uint8Array, except: string): void;
  /** Leads this host's programs, and nobody else, to a member's TCP port. Null when the system gives no port. */
  forward(to: Endpoint): Promise<Forwarder | null>;
  /** Sends a broadcast and a multicast as a game would, and hears answers for two seconds: times in ms by address. */
  probe(): Promise<ReadonlyMap<string, ProbeTimes>>;
}

/** A TCP port of this host that leads to a member's. */
export interface Forwarder {
  readonly port: number;
  /** Takes no more connections; those there are go on. Idempotent. */
  close(): void;
  /** Ends those too. Idempotent. */
  end(): void;
}

export interface ProbeTimes {
  broadcastMs: number | null;
  multicastMs: number | null;
}

export interface FilesRoom {
  /** This host's virtual address. */
  ipv4: string | null;
  members: readonly { key: string; ipv4: string | null }[];
}
export interface FilesHooks {
  send(peer: string, message: PeerMessage): void;
  /** Lets the member reach this TCP port of ours until the result is called. */
  open(peer: string, port: number): () => void;
  changed(): void;
}
/** Files to and from members. */
export interface FilesPort {
  start(hooks: FilesHooks): void;
  view(): FileTransfer[];
  /** At every change of the room. */
  room(room: FilesRoom): void;
  message(peer: { key: string; nick: string }, message: Extract<PeerMessage, { t: 'file-offer' | 'file-end' }>): void;
  /** Answers the transfer's id. Rejects with WarrenError('invalid') for what is no readable file. */
  offer(peer: { key: string; nick: string }, path: string): Promise<string>;
  /** `id` may be its beginning. Rejects with WarrenError('invalid'). */
  act(id: string, action: FileAction): Promise<void>;
  /** Idempotent. */
  stop(): Promise<void>;
}

/** Where the room remembers what must survive a restart. */
export interface StorePort {
  load(): Uint8Array | null;
  save(bytes: Uint8Array): void;
}

/** One port that the router was asked to open, until it is closed. */
export interface OpenMapping {
  view(): MappingView;
  /** The outer address may have changed: renews at once. */
  refresh(): void;
  /** Resolves when the router has deleted it, or has had two seconds for that. Idempotent. */
  close(): Promise<void>;
}
export interface PortMappingPort {
  /** `changed` follows each change of the view. Nothing is sent before the first call and after the last close. */
  open(transport: Transport, internalPort: number, changed: () => void): OpenMapping;
  /** The same towards the IPv6 gateway: a way in through its firewall, to this host's own address. */
  pinhole(transport: Transport, internalPort: number, changed: () => void): OpenMapping;
}
