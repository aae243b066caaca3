/**
 * The contract of `node-wireguard`: what a device takes and what it tells. Nothing here knows about rooms.
 * Times are milliseconds of CLOCK_MONOTONIC (the clock of `process.hrtime`), as floats. Keys are 32 raw bytes.
 */

/** A socket of the device. 0 is the IPv4 main socket, 1 the IPv6 main socket (absent where the host has no IPv6). */
export type SocketId = number;
/** A peer of the device, never reused within its life. */
export type PeerId = number;

/** A UDP endpoint. IPv6 without brackets; a link-local address carries its scope (`fe80::1%3`, numeric). */
export interface Endpoint {
  ip: string;
  port: number;
}

/** Where sealed packets of a peer leave: a UDP socket, or the `outbound` event (a relay that JavaScript runs). */
export type Path =
  | {
      kind: 'udp';
      socket: SocketId;
      to: Endpoint;
      /**
       * Longest IP packet that this path carries, outer headers included, 576 to 65,535. Inner packets that do not fit leave
       * as IP fragments, and segment sizes that TCP announces are lowered to it, in both directions. Default: no limit below
       * the TUN's MTU; 1,280 for a roaming peer.
       */
      mtu?: number;
    }
  | { kind: 'external' };

/** Keys of authenticated path probes, one for each direction; see docs/protocol.md, "Probes". */
export interface ProbeKeys {
  sendKey: Uint8Array;
  receiveKey: Uint8Array;
}

export interface PeerOptions {
  publicKey: Uint8Array;
  presharedKey?: Uint8Array;
  /** CIDR strings; a prefix that another peer holds moves to this one, as in `wg`. */
  allowedIps?: string[];
  /** 0 (default) is off. */
  keepaliveSeconds?: number;
  /** true: the path follows authenticated data, as in the WireGuard paper. false (default): only setPath moves it. */
  roaming?: boolean;
  /** Broadcast and multicast from the TUN is copied to this peer while fan-out is on. Default false. */
  fanout?: boolean;
  probe?: ProbeKeys;
  /** Whether this side begins handshakes when a path is set. Data and keepalive may always begin one. Default true. */
  initiate?: boolean;
  /** What this peer may begin, instead of the device's rules; null (default): those. Counts while a filter is set. */
  filter?: FilterRules | null;
}

/** Ports are this host's, both ends included; without `ports` any. `icmp` stands for echo requests of both families. */
export interface FilterRule {
  action: 'accept' | 'deny';
  /** Default any. */
  protocol?: 'tcp' | 'udp' | 'icmp';
  /** Only TCP and UDP packets match a rule with ports. */
  ports?: [low: number, high: number][];
}

/** The first rule that matches decides. Answers to what this host began always pass. */
export interface FilterRules {
  rules: FilterRule[];
  otherwise: 'accept' | 'deny';
}

export interface FilterOptions extends FilterRules {
  /** CIDR strings: what peers may send to beside broadcast and multicast. Default anything. */
  destinations?: string[];
  /** The subnet's directed broadcast address. */
  directedBroadcast?: string;
  /** This host's address there. With it, broadcasts that leave by other interfaces are copied to the subnet, where the TUN can. */
  ownAddress?: string;
}

export interface DeviceOptions {
  privateKey: Uint8Array;
  /** From `openTun`, or memory: packets come by `writeTun` and leave by the `packet` event. */
  tun: TunDevice | { kind: 'memory'; mtu?: number };
  /** 0 (default): the kernel chooses. IPv4 and IPv6 use the same number where it can be had. */
  udpPort?: number;
  /** Address to bind; default the wildcard. */
  bindAddress?: string;
  /** SO_MARK for every socket, 0 (default) for none. */
  mark?: number;
  /**
   * Threads that seal and open beside the two that read, 0 to 16. Default by the cores that the process may use: none below 4,
   * otherwise all but two, at most 4. Order, counters and what is dropped do not depend on it; for tests and benches.
   */
  cryptoThreads?: number;
  /** Events kept while JavaScript is busy; more are dropped and counted. Default 8,192. */
  eventQueueLength?: number;
}

export interface SocketInfo {
  id: SocketId;
  family: 4 | 6;
  port: number;
}

/** Counters of one peer since it was added. */
export interface PeerStats {
  peer: PeerId;
  rxBytes: number;
  txBytes: number;
  /** Data packets with a payload; keepalives are not counted. */
  rxPackets: number;
  txPackets: number;
  /** Packets that the filter kept from the host. */
  filtered: number;
  /** To what bulk for this peer is held, because a queue stood on the path; null while it is not. */
  pacedBytesPerSecond: number | null;
  /** Time of the last completed handshake, or null. */
  lastHandshakeAt: number | null;
  /** Last authenticated WireGuard packet of any kind, or null. */
  lastReceivedAt: number | null;
  /** Broadcast and multicast datagrams of this peer that the host got, and those dropped by the rules of fan-out. */
  fanoutReceived: number;
  fanoutDropped: number;
}

/** Broadcast and multicast since the device opened; see docs/protocol.md, "Broadcast and multicast". */
export interface FanoutStats {
  /** Datagrams from the host that were carried, and packets made of them. */
  sent: number;
  copies: number;
  /** Datagrams of peers that the host got. */
  received: number;
  /** Over the limits, from either side. */
  rateLimited: number;
  /** The same again within 50 ms. */
  duplicates: number;
  /** Came from the tunnel and were about to go back into it. */
  loops: number;
  /** DHCP, NetBIOS, routing protocols, and what is no UDP. */
  refused: number;
}

/** What waits to leave, and what was dropped instead. A packet dropped here is TCP's sign to slow down. */
export interface QueueStats {
  expressDropped: number;
  bulkDropped: number;
  /** Those of them that had waited for too long: the queue stood, and had not been full. */
  bulkLate: number;
  /** Bytes that wait now. */
  bulkBytes: number;
  /** How long bulk waits now, smoothed. */
  bulkWaitMs: number;
  /** Datagrams of external paths that found no place to wait for their opening. */
  receiveDropped: number;
}

/** Everything that was counted instead of thrown. */
export interface DeviceStats {
  peers: PeerStats[];
  eventsDropped: number;
  /** Datagrams that no classifier wanted, or whose authentication failed. */
  datagramsRejected: number;
  /** Sealed packets dropped because the queue or socket was full. */
  txDropped: number;
  /** Inner packets whose source or destination no peer owns. */
  routeMisses: number;
  /** Between the host and the peers: small and marked packets (express) pass bulk. */
  queue: QueueStats;
  underLoad: boolean;
  fanout: FanoutStats;
}

/** How a probe or message travelled. */
export type Via = { socket: SocketId; remote: Endpoint } | 'external';

export type DeviceEvent =
  /** An answer to a STUN request sent through `send` (by transaction id, within 40 s). */
  | { type: 'stun'; socket: SocketId; from: Endpoint; bytes: Uint8Array; at: number }
  /**
   * An authenticated ping arrived, once for each seq; the device has already answered it, or refused to (`allowNewRemotes`). `new`:
   * nothing had left that socket for that address in 120 s, so that the answer makes an entry in the router. `newRemotes`: how
   * many had such an answer by then.
   */
  | {
      type: 'ping';
      peer: PeerId;
      via: Via;
      seq: number;
      answer: 'known' | 'new' | 'refused';
      newRemotes: number;
      at: number;
    }
  /**
   * The answer to our ping. `observed` is our endpoint as the peer saw it, null for a ping over an external path. A ping that
   * asked `doubly` may be answered twice, once over the external path.
   */
  | { type: 'pong'; peer: PeerId; via: Via; seq: number; observed: Endpoint | null; rttMs: number; at: number }
  /** Opaque authenticated bytes from `sendMessage`. */
  | { type: 'message'; peer: PeerId; via: Via; bytes: Uint8Array; at: number }
  /**
   * A packet for the external path: hand `bytes` to the relay. `express`: the host's packet inside passes bulk, being small or
   * marked; absent for what the device says itself.
   */
  | { type: 'outbound'; peer: PeerId; bytes: Uint8Array; express?: boolean }
  /** A handshake completed (as initiator: response accepted; as responder: first data under the new key). */
  | { type: 'handshake'; peer: PeerId; at: number }
  /** A roaming peer's path followed its data. */
  | { type: 'peer-moved'; peer: PeerId; path: Path }
  /** Memory TUN only: a decrypted inner packet. */
  | { type: 'packet'; bytes: Uint8Array }
  /**
   * A sample of the broadcast and multicast datagrams that were carried, at most 5 a second of each sender: its addresses and
   * the first 512 bytes of its payload. `peer` null: this host sent it.
   */
  | { type: 'discovery'; peer: PeerId | null; from: Endpoint; to: Endpoint; bytes: Uint8Array; at: number }
  /** A send failed for good on this socket (not EAGAIN); `code` is the errno name. At most one a second a socket. */
  | { type: 'socket-error'; socket: SocketId; code: string }
  /** The device cannot go on (TUN gone). */
  | { type: 'failed'; code: string };

export interface FanoutOptions {
  /** The subnet's directed broadcast address (255.255.255.255 and 224.0.0.0/4 always belong). */
  directedBroadcast?: string;
}

/** A system TUN interface, ours until close: non-persistent, so that the end of the process removes it and its routes. */
export interface TunDevice {
  readonly kind: 'system';
  readonly name: string;
  readonly fd: number;
  readonly mtu: number;
  /**
   * Gives IPv4 packets: broadcasts that this host sends by other interfaces, which a device reads. Null where neither process
   * nor helper has CAP_NET_RAW.
   */
  readonly capture: number | null;
  /** Replaces addresses and routes of the interface and brings it up. CIDR strings. */
  configure(config: { addresses: string[]; routes?: string[] }): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}

export interface TunOptions {
  /** Default the first free of warren0 to warren99. */
  name?: string;
  /** Default 1,420. */
  mtu?: number;
  /** Path of the privileged helper; used only when the process lacks CAP_NET_ADMIN. Default: the one that was built. */
  helperPath?: string;
}

/** Closed set: `no-rights` names the next step, `name-taken`, `unsupported`, `helper-failed`, `invalid`, `closed`. */
export type WireguardErrorCode =
  | 'no-rights'
  | 'name-taken'
  | 'unsupported'
  | 'helper-failed'
  | 'invalid'
  | 'closed'
  | 'port-taken'
  | 'addon-missing';

/** One device: sockets, TUN, peers. Every method but `close` throws WireguardError('closed') after close. */
export interface WireguardDevice {
  readonly publicKey: Uint8Array;
  addPeer(options: PeerOptions): PeerId;
  /** Changes only what is named. */
  updatePeer(peer: PeerId, change: Partial<Omit<PeerOptions, 'publicKey'>>): void;
  removePeer(peer: PeerId): void;
  /**
   * Moves a peer's sealed packets to `path` (null: hold). With `duplicate`, each sealed packet also leaves there (the
   * replay window of the receiver removes the copy). Starts the handshake schedule 0, 250, 750, 1,750 ms, then every 5 s
   * when no session exists yet and `initiate` is set.
   */
  setPath(peer: PeerId, path: Path | null, duplicate?: Path | null): void;
  /** Extra sockets on fresh ports. */
  openSockets(count: number, family: 4 | 6): SocketInfo[];
  /** Idempotent; main sockets close with the device only. */
  closeSockets(ids: SocketId[]): void;
  sockets(): SocketInfo[];
  /** One datagram as it is; `ttl` for this datagram only. false: not sent. A STUN request is remembered for its answer. */
  send(socket: SocketId, to: Endpoint, bytes: Uint8Array, options?: { ttl?: number }): boolean;
  /**
   * One authenticated ping; `seq` rises strictly for each pair of keys, below 2^53. `size` pads the datagram (bytes).
   * `doubly`: the peer answers over its external path too, which older ones ignore.
   */
  ping(peer: PeerId, seq: number, via: Via, options?: { ttl?: number; size?: number; doubly?: boolean }): boolean;
  /** Up to 1,200 opaque bytes, authenticated with the probe key, `seq` from the same counter as ping. */
  sendMessage(peer: PeerId, seq: number, via: Via, bytes: Uint8Array): boolean;
  /** A packet that came by the external path: WireGuard or probe, treated as if from a socket. */
  receiveExternal(peer: PeerId, bytes: Uint8Array): void;
  /** Memory TUN only: an inner packet from the host. */
  writeTun(bytes: Uint8Array): void;
  /** Null turns fan-out off (default): broadcast and multicast neither leave nor arrive. The directed broadcast stays known. */
  setFanout(options: FanoutOptions | null): void;
  /** Who may reach this host; null (default): everyone, with everything. What was begun before stays known. */
  setFilter(options: FilterOptions | null): void;
  /**
   * How many pings may be answered `new`, in all since the device opened; default any number. A peer's own path is always answered,
   * and counts. While this is set, a handshake from elsewhere is answered on the path, a pace request not at all, and a cookie
   * leaves only for where a probe or `send` has left lately.
   */
  allowNewRemotes(total: number): void;
  stats(): DeviceStats;
  /** One listener; events in order, a batch a call. */
  onEvents(listener: (batch: DeviceEvent[]) => void): void;
  /** Idempotent: threads joined, sockets closed, TUN closed. */
  close(): Promise<void>;
}
