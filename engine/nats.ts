import type { NatReport } from '../protocol/nat.ts';
import type { Candidate } from '../protocol/peer.ts';
import type { Budget, Dependence } from './core/budget.ts';
import type { NatAction, NatCore, NatEvent, StunServer } from './core/nat/contract.ts';
import { createNatCore } from './core/nat/discovery.ts';
import { Lifetime, type LifetimeAction, type LifetimeEvent } from './core/nat/lifetime.ts';
import { joinFamilies } from './core/nat/report.ts';
import type { ClockPort, DevicePort, HostAddress, RandomPort, SocketId } from './ports.ts';
import { Waker } from './wake.ts';

interface Family {
  core: NatCore;
  waker: Waker;
  /** Null: nobody asked for it. */
  lifetime: { core: Lifetime; waker: Waker } | null;
  candidates: Candidate[];
  main: SocketId;
}

/** NAT discovery for each UDP family of the device, and the report that joins them. */
export class Nats {
  readonly #clock: ClockPort;
  readonly #device: DevicePort;
  readonly #budget: Budget;
  readonly #changed: () => void;
  readonly #families = new Map<4 | 6, Family>();
  /** Main sockets, and those that measurements opened, to the family that asked. */
  readonly #sockets = new Map<SocketId, 4 | 6>();
  /** As last asked for; null since something was measured. */
  #report: NatReport | null = null;

  constructor(
    ports: { clock: ClockPort; random: RandomPort },
    device: DevicePort,
    budget: Budget,
    addresses: HostAddress[],
    changed: () => void,
    measuresLifetime = true,
  ) {
    this.#budget = budget;
    this.#clock = ports.clock;
    this.#device = device;
    this.#changed = changed;
    for (const family of [4, 6] as const) {
      const main = device.sockets().find((socket) => socket.id === (family === 4 ? 0 : 1) && socket.family === family);
      if (!main) continue;
      const core = createNatCore({
        family,
        random: ports.random,
        localAddresses: ofFamily(addresses, family),
        localPort: main.port,
      });
      const waker = new Waker(ports.clock, () => this.#handle(family, { type: 'tick' }));
      const lifetime = measuresLifetime ? this.#lifetime(family, main.id, ports) : null;
      this.#families.set(family, { core, waker, lifetime, candidates: [], main: main.id });
      this.#sockets.set(main.id, family);
    }
  }

  #lifetime(family: 4 | 6, mainSocket: SocketId, { clock, random }: { clock: ClockPort; random: RandomPort }) {
    const core = new Lifetime({ random, mainSocket });
    return { core, waker: new Waker(clock, () => this.#handleLifetime(family, { type: 'tick' })) };
  }

  setServers(servers: StunServer[]): void {
    for (const family of this.#families.keys()) {
      const own = servers.filter((server) => familyOf(server.primary.ip) === family);
      if (own.length > 0) this.#handle(family, { type: 'servers', servers: own });
    }
  }

  tcpReachable(): void {
    for (const family of this.#families.keys()) this.#handle(family, { type: 'tcp-reachable' });
  }

  networkChanged(addresses: HostAddress[]): void {
    for (const family of this.#families.keys()) {
      this.#handleLifetime(family, { type: 'network-changed' });
      this.#handle(family, { type: 'network-changed', localAddresses: ofFamily(addresses, family) });
    }
  }

  watch(on: boolean): void {
    for (const family of this.#families.keys()) this.#handle(family, { type: 'watch', on });
  }

  stun(event: { socket: SocketId; from: { ip: string; port: number }; bytes: Uint8Array; at: number }): void {
    const family = this.#sockets.get(event.socket);
    if (!family) return;
    this.#handle(family, { type: 'stun', ...event });
    this.#handleLifetime(family, { type: 'stun', ...event });
  }

  candidates(): Candidate[] {
    return [...this.#families.values()].flatMap((family) => family.candidates);
  }

  /** That of both families. */
  report(): NatReport {
    this.#report ??= {
      ...joinFamilies(this.#families.get(4)?.core.report(), this.#families.get(6)?.core.report()),
      lifetimeSeconds: this.#aliveSeconds(),
    };
    return this.#report;
  }

  /** The shortest of the families that servers can be asked over; null while one of them is unknown. */
  #aliveSeconds(): number | null {
    const measured = [...this.#families.values()].filter(({ core }) => core.answering() !== null);
    const alive = measured.map(({ lifetime }) => lifetime?.core.view().alive ?? null);
    return alive.length === 0 || alive.includes(null) ? null : Math.min(...alive.map(Number));
  }

  /** IPv4 mappings depend on the destination, or are not known not to: on its address, where servers had one address only. */
  dependentMappings(): Dependence {
    const core = this.#families.get(4)?.core;
    const mapping = core?.report().mapping ?? 'unknown';
    if (mapping === 'none') return false;
    if (mapping === 'endpoint-independent') return core?.comparesAddresses() === true ? false : 'address';
    return mapping === 'address-dependent' ? 'address' : true;
  }

  /** An IPv4 STUN server that answers, another at each turn. */
  answering(turn: number): StunServer['primary'] | null {
    return this.#families.get(4)?.core.answering(turn) ?? null;
  }

  /** Whether every family that has servers is done measuring. */
  settled(): boolean {
    return [...this.#families.values()].every((family) => family.core.settled());
  }

  stop(): void {
    for (const { waker, lifetime } of this.#families.values()) {
      waker.stop();
      lifetime?.waker.stop();
    }
  }

  #handle(id: 4 | 6, event: NatEvent): void {
    const family = this.#families.get(id);
    if (!family) return;
    const actions = family.core.handle(this.#clock.now(), event);
    this.#report = null;
    for (const action of actions) this.#act(id, family, action);
    // Once discovery is over: its own bursts would only slow each other down.
    if (family.core.settled()) this.#handleLifetime(id, { type: 'server', server: family.core.answering() });
  }

  #handleLifetime(id: 4 | 6, event: LifetimeEvent): void {
    const family = this.#families.get(id);
    if (!family?.lifetime) return;
    const actions = family.lifetime.core.handle(this.#clock.now(), event);
    this.#report = null;
    for (const action of actions) this.#actLifetime(id, family, action);
  }

  #actLifetime(id: 4 | 6, family: Family, action: LifetimeAction): void {
    switch (action.type) {
      case 'lifetime':
        return this.#changed();
      case 'open-socket':
        return this.#open(id, (socket) =>
          this.#handleLifetime(id, { type: 'socket', request: action.request, socket: socket.id }),
        );
      case 'wake':
        return family.lifetime?.waker.wakeAt(action.at);
      default:
        return this.#act(id, family, action);
    }
  }

  #open(id: 4 | 6, opened: (socket: { id: SocketId; port: number }) => void): void {
    for (const socket of this.#openOne(id)) {
      this.#sockets.set(socket.id, id);
      opened(socket);
    }
  }

  /** None where the host is out of sockets: measurements go on without. */
  #openOne(id: 4 | 6): ReturnType<DevicePort['openSockets']> {
    try {
      return this.#device.openSockets(1, id);
    } catch {
      return [];
    }
  }

  #act(id: 4 | 6, family: Family, action: NatAction): void {
    switch (action.type) {
      case 'stun':
        this.#budget.sent(this.#clock.now(), action.socket, action.to, this.dependentMappings());
        this.#device.send(action.socket, action.to, action.bytes);
        break;
      case 'open-socket':
        this.#open(id, ({ id: socket, port }) =>
          this.#handle(id, { type: 'socket', request: action.request, socket, port }),
        );
        break;
      case 'close-socket':
        this.#sockets.delete(action.socket);
        this.#device.closeSockets([action.socket]);
        break;
      case 'report':
        family.candidates = action.candidates;
        this.#changed();
        break;
      case 'wake':
        family.waker.wakeAt(action.at);
        break;
    }
  }
}

export function familyOf(ip: string): 4 | 6 {
  return ip.includes(':') ? 6 : 4;
}

/** Without other tunnels: their addresses (100.64.0.0/10 in some) say nothing of this network. */
function ofFamily(addresses: HostAddress[], family: 4 | 6): string[] {
  return addresses.filter((address) => address.family === family && !address.virtual).map((address) => address.ip);
}
