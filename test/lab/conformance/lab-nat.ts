/** A NAT of the lab, the user-space router's or netfilter's, behind the conformance contract. */
import { setTimeout as elapse } from 'node:timers/promises';
import type { Host, Topology } from '../topology.ts';
import type { Endpoint, InsideSocket, NatUnderTest, Outside } from './contract.ts';
import { Probe } from './probe.ts';

const outsidePorts = [40_001, 40_002] as const;

/** The four outside sockets, shared by all NATs of a topology. */
export class OutsideWorld {
  readonly probe: Probe;
  readonly endpoints: Readonly<Record<Outside, Endpoint>>;

  private constructor(probe: Probe, endpoints: Readonly<Record<Outside, Endpoint>>) {
    this.probe = probe;
    this.endpoints = endpoints;
  }

  static async open(topology: Topology): Promise<OutsideWorld> {
    const { namespace, ipv4, alternateIpv4 } = topology.server;
    const endpoints = {
      A1: { address: ipv4, port: outsidePorts[0] },
      A2: { address: ipv4, port: outsidePorts[1] },
      B1: { address: alternateIpv4, port: outsidePorts[0] },
      B2: { address: alternateIpv4, port: outsidePorts[1] },
    };
    const probe = new Probe(topology.lab, namespace);
    for (const [label, endpoint] of Object.entries(endpoints)) await probe.open(label, endpoint);
    return new OutsideWorld(probe, endpoints);
  }
}

export class LabNat implements NatUnderTest {
  readonly #outside: OutsideWorld;
  readonly #inside: Probe;
  readonly #ports = new Map<InsideSocket, Promise<number>>();
  readonly #tag: string;
  #sent = 0;

  constructor(topology: Topology, host: Host, outside: OutsideWorld) {
    this.#outside = outside;
    this.#inside = new Probe(topology.lab, host.namespace);
    this.#tag = host.name;
  }

  async sendFromInside(socket: InsideSocket, to: Outside): Promise<Endpoint | null> {
    await this.localPort(socket);
    const text = this.#nextText();
    const arrival = this.#outside.probe.arrival(to, text);
    await this.#inside.send(socket, this.#outside.endpoints[to], text);
    return arrival;
  }

  async sendFromOutside(from: Outside, to: Endpoint, receiver: InsideSocket): Promise<boolean> {
    const text = this.#nextText();
    const arrival = this.#inside.arrival(receiver, text);
    await this.#outside.probe.send(from, to, text);
    return (await arrival) !== null;
  }

  async sendHairpin(socket: InsideSocket, to: Endpoint, receiver: InsideSocket): Promise<Endpoint | null> {
    await this.localPort(socket);
    const text = this.#nextText();
    const arrival = this.#inside.arrival(receiver, text);
    await this.#inside.send(socket, to, text);
    return arrival;
  }

  localPort(socket: InsideSocket): Promise<number> {
    const opening = this.#ports.get(socket) ?? this.#inside.open(socket);
    this.#ports.set(socket, opening);
    return opening;
  }

  async advance(ms: number): Promise<void> {
    await elapse(ms);
  }

  stop(): Promise<void> {
    return this.#inside.stop();
  }

  /** No two datagrams of a run carry the same text, so that a late one is never taken for another. */
  #nextText(): string {
    this.#sent += 1;
    return `${this.#tag} ${this.#sent}`;
  }
}
