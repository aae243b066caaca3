import type { Snapshot } from '../protocol/app.ts';
import type { NatReport } from '../protocol/nat.ts';
import type { Candidate } from '../protocol/peer.ts';
import type { Budget, Dependence } from './core/budget.ts';
import { gatherCandidates } from './core/candidates/gather.ts';
import { dependsOnDestination } from './core/nat/fresh.ts';
import { Mappings, type TunnelPorts } from './mappings.ts';
import { Nat64, Nat64Device } from './nat64.ts';
import { Nats } from './nats.ts';
import type { EngineOptions, EnginePorts } from './options.ts';
import type { DeviceEvent, DevicePort, Endpoint } from './ports.ts';
import type { Servers } from './servers.ts';

export interface NetworkOptions {
  ports: Pick<EnginePorts, 'clock' | 'random' | 'interfaces' | 'mapping' | 'nat64' | 'log'>;
  options: Pick<EngineOptions, 'stun' | 'staticCandidates' | 'settings'>;
  device: DevicePort;
  budget: Budget;
  servers: Pick<Servers, 'stunServers' | 'check'>;
  settings(): Snapshot['settings'];
  post(work: () => void): void;
  /** What members are told, after each change. */
  offer(candidates: Candidate[], nat: NatReport): void;
  /** Another network: whatever was found out about paths is to be found out again. */
  moved(): void;
}

/** What network this host is on, and what it offers to members there: NAT behaviour, opened ports, candidates. */
export class Network {
  /** The device that was given, through a NAT64 where there is one. */
  readonly device: Nat64Device;
  readonly #options: NetworkOptions;
  readonly #nat64: Nat64;
  readonly #nats: Nats;
  readonly #mappings: Mappings;
  #unwatch = () => {};
  #report: { nat: NatReport; mapped: string; whole: NatReport } | null = null;

  constructor(options: NetworkOptions) {
    this.#options = options;
    const { ports, budget, post } = options;
    const { clock, log, interfaces } = ports;
    this.#nat64 = new Nat64({ port: ports.nat64, clock, log, changed: () => post(() => this.#translated()) });
    this.device = new Nat64Device(options.device, this.#nat64);
    const found = () => post(() => this.give());
    // A relay needs no mapping kept.
    const measuresLifetime = !options.options.settings.relayOnly;
    this.#nats = new Nats(ports, this.device, budget, interfaces.addresses(), found, measuresLifetime);
    this.#mappings = new Mappings(ports.mapping, this.#tunnelPorts(), found);
  }

  start(): void {
    const { ports, options, post } = this.#options;
    this.#unwatch = ports.interfaces.watch(() => post(() => this.#interfacesChanged()));
    if (options.stun.length > 0) this.#setServers();
    this.#nat64.look();
    this.#mappings.set(this.#wantsMapping());
  }

  /** Resolves when the routers have deleted what they had opened, or have had their time. */
  stop(): Promise<void> {
    this.#unwatch();
    this.#nat64.stop();
    this.#nats.stop();
    return this.#mappings.stop();
  }

  // What the world tells

  /** A server has named its STUN servers. */
  welcomed(): void {
    this.#setServers();
    this.#nats.tcpReachable();
  }

  tcpReachable(): void {
    this.#nats.tcpReachable();
  }

  stun(event: Extract<DeviceEvent, { type: 'stun' }>): void {
    this.#nats.stun(event);
  }

  settingsChanged(): void {
    this.#mappings.set(this.#wantsMapping());
    this.give();
  }

  #interfacesChanged(): void {
    this.#nat64.look();
    this.#remeasure();
  }

  #translated(): void {
    this.device.retranslate();
    this.#remeasure();
  }

  #remeasure(): void {
    const { ports, servers, moved } = this.#options;
    this.#setServers();
    servers.check();
    this.#nats.networkChanged(ports.interfaces.addresses());
    this.#mappings.refresh();
    moved();
    this.give();
  }

  #setServers(): void {
    const servers = [...this.#options.servers.stunServers(), ...this.#options.options.stun];
    this.#nats.setServers(servers.map((server) => this.#nat64.server(server)));
  }

  // What is known

  /** The same object while nothing has changed: it is asked for at every turn. */
  report(): NatReport {
    const nat = this.#nats.report();
    const mapped = this.#mappings.state();
    const nat64 = this.#nat64.active;
    const last = this.#report;
    if (last?.nat === nat && last.mapped === mapped && last.whole.nat64 === nat64) return last.whole;
    const whole = { ...this.#mappings.describe(nat), nat64 };
    this.#report = { nat, mapped, whole };
    return whole;
  }

  dependentMappings(): Dependence {
    return this.#nats.dependentMappings();
  }

  settled(): boolean {
    return this.#nats.settled();
  }

  answering(turn: number): Endpoint | null {
    return this.#nats.answering(turn);
  }

  /**
   * Asks a server now and then, while some path is still to be found, and for a mapping that carries friends' packets where
   * it lets everyone in: only asking the server keeps that.
   */
  watch(someRelayed: boolean): void {
    const { mapping, filtering } = this.#nats.report();
    const carries = dependsOnDestination(mapping) && filtering === 'endpoint-independent';
    this.#nats.watch(carries || someRelayed);
  }

  /** Tells members what is known now. */
  give(): void {
    const { ports, options, settings, offer } = this.#options;
    const candidates = gatherCandidates({
      hostAddresses: ports.interfaces.addresses(),
      ports: this.#tunnelPorts(),
      reflexive: this.#nats.candidates(),
      mapped: this.#mappings.candidates(),
      pinholed: this.#mappings.pinholes(),
      static: options.staticCandidates,
      relayOnly: settings().relayOnly,
    });
    const nat = this.report();
    this.#mappings.seen(nat.publicAddresses);
    offer(candidates, nat);
  }

  /** With relay only nobody would learn of the port. */
  #wantsMapping(): boolean {
    const { portMapping, relayOnly } = this.#options.settings();
    return portMapping && !relayOnly;
  }

  #tunnelPorts(): TunnelPorts {
    const portOf = (id: 0 | 1) => this.device.sockets().find((socket) => socket.id === id)?.port ?? null;
    return { v4: portOf(0), v6: portOf(1) };
  }
}
