/**
 * The native device in the simulator: the same contract (native/types.ts) over virtual sockets. Pings are answered here,
 * below the main thread, so that a stall of the engine never silences a path.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { isIP } from 'node:net';
import type { DeviceStats } from 'node-wireguard';
import type { DeviceEvent, DevicePort, Endpoint, Path, SocketId, Via } from '../../engine/ports.ts';
import { TUN_MTU } from '../../protocol/limits.ts';
import type { Random } from './core/random.ts';
import type { MainThread } from './core/thread.ts';
import type { Timeline } from './core/timeline.ts';
import { AllowedIps, parseInner } from './device/address.ts';
import { innerLimit } from './device/fragments.ts';
import { NewRemotes } from './device/new-remotes.ts';
import { asksDoubly, MESSAGE, observedOf, PING, PONG, ProbeKeysState } from './device/probe.ts';
import { StunTransactions } from './device/stun-transactions.ts';
import { Tunnel } from './device/tunnel.ts';
import * as wireguard from './device/wireguard.ts';
import type { Host, HostSocket } from './net/host.ts';
import { familyOf } from './net/packet.ts';

export interface SimDeviceOptions {
  timeline: Timeline;
  random: Random;
  host: Host;
  thread: MainThread;
  privateKey: Uint8Array;
  /** 0: chosen by the host. */
  udpPort?: number;
  /** Default 8,192, as the native device. */
  eventQueueLength?: number;
}

interface Peer {
  id: number;
  key: string;
  tunnel: Tunnel;
  probe: ProbeKeysState | null;
  path: Path | null;
  duplicate: Path | null;
  rxBytes: number;
  txBytes: number;
  rxPackets: number;
  txPackets: number;
}

type PeerChange = Parameters<DevicePort['updatePeer']>[1];

/** From a native event to the callback in JavaScript. */
const EVENT_DELAY_MS = 0.05;
const MESSAGE_BYTES = 1_200;
const NO_FANOUT = { sent: 0, copies: 0, received: 0, rateLimited: 0, duplicates: 0, loops: 0, refused: 0 };

export class SimDevice implements DevicePort {
  readonly publicKey: Uint8Array;
  /** Called for each ping that leaves: budgets are checked on what the network sees. */
  onProbe: ((via: Via) => void) | null = null;
  /** Called for each inner packet that comes out, at once. */
  onPacket: ((bytes: Uint8Array) => void) | null = null;
  /** Called when a peer's packets begin to leave by another way. */
  onPath: ((peerKey: string, path: Path | null) => void) | null = null;
  readonly #options: SimDeviceOptions;
  readonly #random: Random;
  readonly #sockets = new Map<SocketId, HostSocket>();
  readonly #stun = new StunTransactions();
  readonly #peers = new Map<number, Peer>();
  readonly #allowed = new AllowedIps();
  readonly #indices = new Map<number, Peer>();
  #events: DeviceEvent[] = [];
  #flushing = false;
  #listener: ((batch: DeviceEvent[]) => void) | null = null;
  #nextSocket = 2;
  #nextPeer = 1;
  #nextIndex = 1;
  #closed = false;
  readonly #newRemotes = new NewRemotes();
  readonly #counters = { eventsDropped: 0, datagramsRejected: 0, txDropped: 0, routeMisses: 0 };

  constructor(options: SimDeviceOptions) {
    this.#options = options;
    this.#random = options.random.stream('device');
    this.publicKey = publicKeyOf(options.privateKey);
    const main4 = this.#bind(0, 4, options.udpPort ?? 0);
    if (options.host.addresses().some((address) => address.family === 6)) {
      if (!this.#tryBind(1, 6, main4.port)) this.#bind(1, 6, 0);
    }
  }

  addPeer(options: Parameters<DevicePort['addPeer']>[0]): number {
    this.#open();
    const id = this.#nextPeer++;
    const key = Buffer.from(options.publicKey).toString('hex');
    const peer: Peer = {
      id,
      key,
      tunnel: this.#tunnel(id, key),
      probe: null,
      path: null,
      duplicate: null,
      rxBytes: 0,
      txBytes: 0,
      rxPackets: 0,
      txPackets: 0,
    };
    this.#peers.set(id, peer);
    this.#change(peer, options);
    return id;
  }

  updatePeer(id: number, change: PeerChange): void {
    this.#open();
    this.#change(this.#peer(id), change);
  }

  removePeer(id: number): void {
    this.#open();
    const peer = this.#peers.get(id);
    if (peer === undefined) return;
    peer.tunnel.close();
    this.#allowed.remove(id);
    this.#peers.delete(id);
    for (const [index, owner] of this.#indices) if (owner === peer) this.#indices.delete(index);
  }

  setPath(id: number, path: Path | null, duplicate: Path | null = null): void {
    this.#open();
    for (const way of [path, duplicate]) if (way?.kind === 'udp') this.#check({ socket: way.socket, remote: way.to });
    const peer = this.#peer(id);
    const moved = pathKey(path) !== pathKey(peer.path);
    if (moved) this.onPath?.(peer.key, path);
    peer.path = path;
    peer.duplicate = duplicate;
    if (path !== null) peer.tunnel.pathSet(moved);
  }

  openSockets(count: number, family: 4 | 6): { id: SocketId; family: 4 | 6; port: number }[] {
    this.#open();
    return Array.from({ length: count }, () => {
      const id = this.#nextSocket++;
      return { id, family, port: this.#bind(id, family, 0).port };
    });
  }

  closeSockets(ids: SocketId[]): void {
    this.#open();
    for (const id of ids.filter((socket) => socket > 1)) {
      this.#sockets.get(id)?.close();
      this.#sockets.delete(id);
    }
  }

  sockets(): { id: SocketId; family: 4 | 6; port: number }[] {
    this.#open();
    return [...this.#sockets].map(([id, { family, port }]) => ({ id, family, port }));
  }

  send(socket: SocketId, to: Endpoint, bytes: Uint8Array, options?: { ttl?: number }): boolean {
    this.#open();
    this.#check({ socket, remote: to });
    this.#stun.sent(this.#now(), bytes);
    this.#newRemotes.sent(this.#now(), { socket, remote: to });
    return this.#transmit({ socket, remote: to }, null, bytes.slice(), options?.ttl);
  }

  ping(id: number, seq: number, via: Via, options?: { ttl?: number; size?: number; doubly?: boolean }): boolean {
    this.#open();
    this.#check(via);
    const peer = this.#peer(id);
    if (peer.probe === null) return false;
    const bytes = peer.probe.ping(this.#now(), seq, options?.size ?? 0, options?.doubly === true);
    this.onProbe?.(via);
    this.#newRemotes.sent(this.#now(), via);
    return this.#transmit(via, peer, bytes, options?.ttl);
  }

  sendMessage(id: number, seq: number, via: Via, bytes: Uint8Array): boolean {
    this.#open();
    this.#check(via);
    const peer = this.#peer(id);
    if (bytes.length === 0 || bytes.length > MESSAGE_BYTES) throw new Error('invalid: size of a message');
    if (peer.probe === null) return false;
    this.#newRemotes.sent(this.#now(), via);
    return this.#transmit(via, peer, peer.probe.message(seq, bytes));
  }

  receiveExternal(id: number, bytes: Uint8Array): void {
    this.#open();
    const peer = this.#peers.get(id);
    if (peer !== undefined) this.#datagram(bytes.slice(), 'external', peer);
  }

  writeTun(bytes: Uint8Array): void {
    this.#open();
    const inner = parseInner(bytes);
    const owner = inner === null ? null : this.#allowed.lookup(inner.destination);
    if (owner === null) this.#counters.routeMisses++;
    else this.sendData(owner, bytes);
  }

  /** An inner packet to this peer, whatever its address. */
  sendData(id: number, bytes: Uint8Array): void {
    const peer = this.#peer(id);
    peer.txPackets++;
    peer.tunnel.sendData(bytes.slice());
  }

  /** Hosts of the simulator send nothing that a filter would keep out. */
  setFilter(): void {
    this.#open();
  }

  allowNewRemotes(total: number): void {
    this.#open();
    this.#newRemotes.allow(total);
  }

  /** Broadcast is the native device's own matter: here it would only cost time. */
  setFanout(): void {
    this.#open();
  }

  stats(): DeviceStats {
    this.#open();
    const peers = [...this.#peers.values()].map((peer) => ({
      peer: peer.id,
      rxBytes: peer.rxBytes,
      txBytes: peer.txBytes,
      rxPackets: peer.rxPackets,
      txPackets: peer.txPackets,
      filtered: 0,
      pacedBytesPerSecond: null,
      lastHandshakeAt: peer.tunnel.lastHandshakeAt,
      lastReceivedAt: peer.tunnel.lastReceivedAt,
      fanoutReceived: 0,
      fanoutDropped: 0,
    }));
    const queue = { expressDropped: 0, bulkDropped: 0, bulkLate: 0, bulkBytes: 0, bulkWaitMs: 0, receiveDropped: 0 };
    return { peers, ...this.#counters, queue, underLoad: false, fanout: NO_FANOUT };
  }

  onEvents(listener: (batch: DeviceEvent[]) => void): void {
    this.#open();
    this.#listener = listener;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const peer of this.#peers.values()) peer.tunnel.close();
    for (const socket of this.#sockets.values()) socket.close();
    this.#listener = null;
  }

  #change(peer: Peer, change: PeerChange): void {
    if (change.presharedKey) peer.tunnel.presharedKey = Buffer.from(change.presharedKey).toString('hex');
    if (change.initiate !== undefined) peer.tunnel.initiate = change.initiate;
    if (change.allowedIps) this.#allowed.assign(peer.id, change.allowedIps);
    if (change.probe) peer.probe = new ProbeKeysState(change.probe);
  }

  #tunnel(id: number, key: string): Tunnel {
    const { timeline } = this.#options;
    return new Tunnel({
      ownKey: Buffer.from(this.publicKey).toString('hex'),
      peerKey: key,
      now: () => timeline.now(),
      after: (ms, callback) => timeline.after(ms, callback),
      send: (bytes) => this.#seal(this.#peer(id), bytes),
      ephemeral: () => this.#random.bytes(8),
      index: () => {
        this.#indices.set(this.#nextIndex, this.#peer(id));
        return this.#nextIndex++;
      },
      handshakeDone: () => this.#emit({ type: 'handshake', peer: id, at: this.#now() }),
      limit: () => limitOf(this.#peer(id)),
      deliver: (payload) => this.#deliver(this.#peer(id), payload),
    });
  }

  /** Along the path, and as the same sealed bytes along the duplicate. */
  #seal(peer: Peer, bytes: Uint8Array): void {
    if (peer.path !== null) peer.txBytes += bytes.length;
    for (const path of [peer.path, peer.duplicate]) {
      if (path === null) continue;
      const via: Via = path.kind === 'external' ? 'external' : { socket: path.socket, remote: path.to };
      if (!this.#transmit(via, peer, bytes)) this.#counters.txDropped++;
    }
  }

  #transmit(via: Via, peer: Peer | null, bytes: Uint8Array, ttl?: number): boolean {
    if (via === 'external') {
      if (peer !== null) this.#emit({ type: 'outbound', peer: peer.id, bytes });
      return peer !== null;
    }
    return this.#sockets.get(via.socket)?.send(via.remote, bytes, { ttl }) ?? false;
  }

  /** Classification of docs/protocol.md; `owner` is the peer of an external path. */
  #datagram(bytes: Uint8Array, via: Via, owner: Peer | null): void {
    if (this.#closed) return;
    const type = wireguard.classify(bytes);
    let accepted = false;
    if (type !== null) accepted = this.#wireguard(type, bytes, owner);
    else if (bytes[0] === 0xd7) accepted = this.#probe(bytes, via, owner);
    else if (via !== 'external' && this.#stun.answers(this.#now(), bytes)) {
      accepted = true;
      this.#emit({ type: 'stun', socket: via.socket, from: via.remote, bytes, at: this.#now() });
    }
    if (!accepted) this.#counters.datagramsRejected++;
  }

  #wireguard(type: number, bytes: Uint8Array, owner: Peer | null): boolean {
    if (type === wireguard.INITIATION) {
      const message = wireguard.decodeInitiation(bytes);
      const peer = [...this.#peers.values()].find((candidate) => candidate.key === message.from);
      if (peer === undefined || message.to !== Buffer.from(this.publicKey).toString('hex')) return false;
      peer.rxBytes += bytes.length;
      peer.tunnel.onInitiation(message);
      return true;
    }
    const index = wireguard.receiverIndexOf(type === wireguard.RESPONSE ? bytes.subarray(4) : bytes);
    const peer = this.#indices.get(index);
    if (peer === undefined || (owner !== null && owner !== peer)) return false;
    const good = type === wireguard.RESPONSE ? peer.tunnel.onResponse(bytes) : peer.tunnel.onData(index, bytes);
    if (good) peer.rxBytes += bytes.length;
    return good;
  }

  #probe(bytes: Uint8Array, via: Via, owner: Peer | null): boolean {
    const candidates = owner === null ? [...this.#peers.values()] : [owner];
    const peer = candidates.find((candidate) => candidate.probe?.matches(bytes));
    const probe = peer?.probe?.open(bytes);
    if (!peer?.probe || !probe) return false;
    const at = this.#now();
    const { seq } = probe;
    switch (probe.kind) {
      case PING: {
        const onPath = [peer.path, peer.duplicate].some((path) => path !== null && pathKey(path) === viaKey(via));
        const answer = this.#newRemotes.answer(at, via, onPath);
        const pong = peer.probe.pong(bytes, seq, via === 'external' ? null : via.remote);
        if (answer !== 'refused') this.#transmit(via, peer, pong);
        // The way back may be closed, as by two NATs that map by destination.
        if (asksDoubly(probe.body) && via !== 'external') this.#transmit('external', peer, pong);
        this.#emit({ type: 'ping', peer: peer.id, via, seq, answer, newRemotes: this.#newRemotes.answered, at });
        return true;
      }
      case PONG: {
        const rttMs = peer.probe.answered(at, seq, via === 'external' ? via : 'socket');
        if (rttMs === null) return false;
        const observed = observedOf(probe.body);
        this.#emit({ type: 'pong', peer: peer.id, via, seq, observed, rttMs, at });
        return true;
      }
      case MESSAGE:
        this.#emit({ type: 'message', peer: peer.id, via, bytes: probe.body.slice(), at });
        return true;
      default:
        return false;
    }
  }

  /** Only the owner of the inner source may speak for it. */
  #deliver(peer: Peer, padded: Uint8Array): void {
    const inner = parseInner(padded);
    if (inner === null || this.#allowed.lookup(inner.source) !== peer.id) {
      this.#counters.routeMisses++;
      return;
    }
    peer.rxPackets++;
    const length = inner.payload.byteOffset - padded.byteOffset + inner.payload.length;
    const bytes = padded.slice(0, length);
    this.onPacket?.(bytes);
    this.#emit({ type: 'packet', bytes });
  }

  #emit(event: DeviceEvent): void {
    if (this.#closed) return;
    if (this.#events.length >= (this.#options.eventQueueLength ?? 8_192)) {
      this.#counters.eventsDropped++;
      return;
    }
    this.#events.push(event);
    if (this.#flushing) return;
    this.#flushing = true;
    const { timeline, thread } = this.#options;
    timeline.after(EVENT_DELAY_MS, () =>
      thread.run(() => {
        this.#flushing = false;
        const batch = this.#events;
        this.#events = [];
        this.#listener?.(batch);
      }),
    );
  }

  #bind(id: SocketId, family: 4 | 6, port: number): HostSocket {
    const socket = this.#tryBind(id, family, port);
    if (socket === null) throw new Error(`port-taken: ${port}`);
    return socket;
  }

  #tryBind(id: SocketId, family: 4 | 6, port: number): HostSocket | null {
    const socket = this.#options.host.bind(family, port, (remote, bytes) =>
      this.#datagram(bytes, { socket: id, remote }, null),
    );
    if (socket !== null) this.#sockets.set(id, socket);
    return socket;
  }

  #peer(id: number): Peer {
    const peer = this.#peers.get(id);
    if (peer === undefined) throw new Error(`no such peer: ${id}`);
    return peer;
  }

  /** As strict as the native device: an open socket, and a numeric address of its family. */
  #check(via: Via): void {
    if (via === 'external') return;
    const socket = this.#sockets.get(via.socket);
    if (socket === undefined) throw new Error(`invalid: no such socket: ${via.socket}`);
    const { ip, port } = via.remote;
    const good = isIP(ip) === socket.family && Number.isInteger(port) && port > 0 && port < 65_536;
    if (!good) throw new Error(`invalid: ${ip} ${port} from a socket of family ${socket.family}`);
  }

  #now(): number {
    return this.#options.timeline.now();
  }

  #open(): void {
    if (this.#closed) throw new Error('closed');
  }
}

/** PKCS #8 around a private key of X25519 (RFC 8410, 7). */
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex');

function publicKeyOf(privateKey: Uint8Array): Uint8Array {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, privateKey]), format: 'der', type: 'pkcs8' });
  return new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32));
}

/** The same sealed bytes leave over both ways: the narrower one counts. */
function limitOf({ path, duplicate }: Peer): number {
  const limits = [path, duplicate].map((way) =>
    way?.kind === 'udp' && way.mtu !== undefined ? innerLimit(way.mtu, familyOf(way.to.ip)) : TUN_MTU,
  );
  return Math.min(TUN_MTU, ...limits);
}

function viaKey(via: Via): string {
  return via === 'external' ? via : `${via.socket} ${via.remote.ip} ${via.remote.port}`;
}

export function pathKey(path: Path | null): string {
  return path?.kind === 'udp' ? `${path.socket} ${path.to.ip} ${path.to.port}` : String(path?.kind);
}
