/**
 * An IPv6-only host reaches IPv4 through its network's NAT64 (RFC 6146). Above this file everything speaks of IPv4
 * addresses, sockets and NAT behaviour as ever; below it, what goes to an IPv4 address leaves by an IPv6 socket for the
 * address that stands for it, and what comes from there is IPv4 again. So the NAT64 is measured, and punched through, as
 * any other NAT.
 */
import { parseAddress } from './core/candidates/address.ts';
import { extract, type Nat64Prefix, prefixOf, prefixText, synthesise } from './core/candidates/nat64.ts';
import type { StunServer } from './core/nat/contract.ts';
import type { ClockPort, DeviceEvent, DevicePort, Endpoint, Nat64Port, Path, SocketId, Via } from './ports.ts';

/** The device's main sockets. */
const MAIN_IPV4 = 0;
const MAIN_IPV6 = 1;
/** The resolver did not answer: the network may only just have come up. Doubles. */
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 60_000;

export interface Nat64Options {
  /** Null: this host is never asked. */
  port: Nat64Port | null;
  clock: ClockPort;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void;
  /** The prefix is another one. */
  changed(): void;
}

/** The network's NAT64, looked for again after each change of the network. */
export class Nat64 {
  readonly #options: Nat64Options;
  #prefix: Nat64Prefix | null = null;
  #asked = 0;
  #retryMs = FIRST_RETRY_MS;
  #cancelRetry = () => {};

  constructor(options: Nat64Options) {
    this.#options = options;
  }

  get active(): boolean {
    return this.#prefix !== null;
  }

  /** At the start, and when the network may be another. */
  look(): void {
    this.#retryMs = FIRST_RETRY_MS;
    void this.#ask();
  }

  stop(): void {
    this.#asked += 1;
    this.#cancelRetry();
  }

  async #ask(): Promise<void> {
    this.#cancelRetry();
    const { port, clock } = this.#options;
    if (port === null) return;
    const asked = ++this.#asked;
    const addresses = await port.addresses().catch(() => null);
    if (asked !== this.#asked) return;
    if (addresses !== null) return this.#found(prefixOf(addresses));
    this.#cancelRetry = clock.at(clock.now() + this.#retryMs, () => void this.#ask());
    this.#retryMs = Math.min(2 * this.#retryMs, LONGEST_RETRY_MS);
  }

  #found(prefix: Nat64Prefix | null): void {
    const before = this.#prefix && prefixText(this.#prefix);
    const now = prefix && prefixText(prefix);
    if (before === now) return;
    this.#prefix = prefix;
    this.#options.log('info', now === null ? 'no NAT64 any more' : `NAT64 behind ${now}`);
    this.#options.changed();
  }

  /** What stands for an IPv4 address here; null: it is not reached through a NAT64 (RFC 6052, 3.1: private ones never). */
  outwards({ ip, port }: Endpoint): Endpoint | null {
    if (this.#prefix === null) return null;
    const address = parseAddress(ip);
    if (address === null || address.family !== 4 || address.scope !== 'global') return null;
    return { ip: synthesise(this.#prefix, address.ip), port };
  }

  /** The IPv4 endpoint that an IPv6 one stands for; null: none. */
  inwards({ ip, port }: Endpoint): Endpoint | null {
    if (this.#prefix === null) return null;
    const address = parseAddress(ip);
    const inside = address?.family === 6 ? extract(this.#prefix, address.ip) : null;
    return inside === null ? null : { ip: inside, port };
  }

  /** A server that was reached by a name has the address that the resolver made up. */
  server({ primary, secondPort, alternate }: StunServer): StunServer {
    const inside = (endpoint: Endpoint) => this.inwards(endpoint) ?? endpoint;
    return {
      primary: inside(primary),
      secondPort: secondPort && inside(secondPort),
      alternate: alternate && inside(alternate),
    };
  }
}

/** The device, translating. It changes nothing on a network without NAT64. */
export class Nat64Device implements DevicePort {
  readonly #inner: DevicePort;
  readonly #nat64: Nat64;
  /** As they were set, before translation. */
  readonly #paths = new Map<number, [path: Path | null, duplicate: Path | null | undefined]>();

  constructor(inner: DevicePort, nat64: Nat64) {
    this.#inner = inner;
    this.#nat64 = nat64;
  }

  addPeer(options: Parameters<DevicePort['addPeer']>[0]): number {
    return this.#inner.addPeer(options);
  }

  updatePeer(peer: number, change: Parameters<DevicePort['updatePeer']>[1]): void {
    this.#inner.updatePeer(peer, change);
  }

  removePeer(peer: number): void {
    this.#paths.delete(peer);
    this.#inner.removePeer(peer);
  }

  setPath(peer: number, path: Path | null, duplicate?: Path | null): void {
    this.#paths.set(peer, [path, duplicate]);
    this.#inner.setPath(peer, this.#pathOut(path), duplicate && this.#pathOut(duplicate));
  }

  /** After a change of the prefix: what leads to the same place leaves another way. */
  retranslate(): void {
    for (const [peer, [path, duplicate]] of this.#paths) this.setPath(peer, path, duplicate);
  }

  /** Sockets for IPv4 are IPv6 sockets where only those lead out. */
  openSockets(count: number, family: 4 | 6): ReturnType<DevicePort['openSockets']> {
    const below = family === 4 && this.#nat64.active ? 6 : family;
    return this.#inner.openSockets(count, below).map((socket) => ({ ...socket, family }));
  }

  closeSockets(ids: SocketId[]): void {
    this.#inner.closeSockets(ids);
  }

  sockets(): ReturnType<DevicePort['sockets']> {
    return this.#inner.sockets();
  }

  send(socket: SocketId, to: Endpoint, bytes: Uint8Array, options?: { ttl?: number }): boolean {
    const out = this.#nat64.outwards(to);
    return out === null
      ? this.#inner.send(socket, to, bytes, options)
      : this.#inner.send(socketOut(socket), out, bytes, options);
  }

  ping(peer: number, seq: number, via: Via, options?: { ttl?: number; size?: number }): boolean {
    return this.#inner.ping(peer, seq, this.#viaOut(via), options);
  }

  sendMessage(peer: number, seq: number, via: Via, bytes: Uint8Array): boolean {
    return this.#inner.sendMessage(peer, seq, this.#viaOut(via), bytes);
  }

  receiveExternal(peer: number, bytes: Uint8Array): void {
    this.#inner.receiveExternal(peer, bytes);
  }

  setFilter(options: Parameters<DevicePort['setFilter']>[0]): void {
    this.#inner.setFilter(options);
  }

  setFanout(options: Parameters<DevicePort['setFanout']>[0]): void {
    this.#inner.setFanout(options);
  }

  allowNewRemotes(total: number): void {
    this.#inner.allowNewRemotes(total);
  }

  stats(): ReturnType<DevicePort['stats']> {
    return this.#inner.stats();
  }

  onEvents(listener: (batch: DeviceEvent[]) => void): void {
    this.#inner.onEvents((batch) => listener(this.#nat64.active ? batch.map((event) => this.#eventIn(event)) : batch));
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #pathOut(path: Path | null): Path | null {
    if (path?.kind !== 'udp') return path;
    const to = this.#nat64.outwards(path.to);
    return to === null ? path : { ...path, socket: socketOut(path.socket), to };
  }

  #viaOut(via: Via): Via {
    const remote = via === 'external' ? null : this.#nat64.outwards(via.remote);
    return remote === null || via === 'external' ? via : { socket: socketOut(via.socket), remote };
  }

  #eventIn(event: DeviceEvent): DeviceEvent {
    switch (event.type) {
      case 'stun': {
        const from = this.#nat64.inwards(event.from);
        return from === null ? event : { ...event, socket: socketIn(event.socket), from };
      }
      case 'ping':
      case 'pong':
      case 'message':
        return { ...event, via: this.#viaIn(event.via) };
      case 'peer-moved':
        return { ...event, path: this.#pathIn(event.path) };
      default:
        return event;
    }
  }

  #viaIn(via: Via): Via {
    const remote = via === 'external' ? null : this.#nat64.inwards(via.remote);
    return remote === null || via === 'external' ? via : { socket: socketIn(via.socket), remote };
  }

  #pathIn(path: Path): Path {
    const to = path.kind === 'udp' ? this.#nat64.inwards(path.to) : null;
    return to === null || path.kind !== 'udp' ? path : { ...path, socket: socketIn(path.socket), to };
  }
}

/** The sockets of a punch are IPv6 ones already; the main ones come in pairs. */
function socketOut(socket: SocketId): SocketId {
  return socket === MAIN_IPV4 ? MAIN_IPV6 : socket;
}

function socketIn(socket: SocketId): SocketId {
  return socket === MAIN_IPV6 ? MAIN_IPV4 : socket;
}
