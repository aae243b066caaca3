/** The simulator's NAT against the cases that the user-space NAT and netfilter of the lab are held against. */
import { describe, expect, test } from 'vitest';
import { conformanceCases } from '../lab/conformance/cases.ts';
import type { Endpoint, ExpectedNat, NatUnderTest, Outside } from '../lab/conformance/contract.ts';
import { fullyRandom, masquerade, natTable, netfilterBehaviour } from '../lab/conformance/table.ts';
import type { Host } from './net/host.ts';
import { HELLO, type LoggedSocket, NetLab } from './net/lab.ts';
import type { NatOptions } from './net/nat.ts';
import type { PortAllocation } from './net/ports.ts';
import { NATS } from './profiles.ts';

const EXTERNAL = '198.51.100.10';
const REMOTES = { A: '203.0.113.1', B: '203.0.113.2' } as const;
/** Longer than any round trip of the small network. */
const CROSSING_MS = 100;

class SimulatedNat implements NatUnderTest {
  readonly #lab = new NetLab('conformance');
  readonly #host: Host;
  readonly #outside = new Map<Outside, { address: string; socket: LoggedSocket }>();
  readonly #inside = new Map<string, LoggedSocket>();

  constructor(options: NatOptions) {
    const { lan } = this.#lab.site('nat', [EXTERNAL], options);
    this.#host = this.#lab.insider(lan, '192.168.1.2');
    for (const [name, address] of Object.entries(REMOTES)) {
      const remote = this.#lab.host(name, [address]);
      for (const number of [1, 2] as const) {
        const socket = this.#lab.socket(remote, 7_000 + number);
        this.#outside.set(`${name}${number}` as Outside, { address, socket });
      }
    }
  }

  async sendFromInside(label: string, to: Outside): Promise<Endpoint | null> {
    const { address, socket } = this.#remote(to);
    const before = socket.received.length;
    this.#insider(label).send({ ip: address, port: socket.port }, HELLO);
    return this.#arrival(socket, before);
  }

  async sendFromOutside(from: Outside, to: Endpoint, receiver: string): Promise<boolean> {
    const inside = this.#insider(receiver);
    const before = inside.received.length;
    this.#remote(from).socket.send({ ip: to.address, port: to.port }, HELLO);
    return (await this.#arrival(inside, before)) !== null;
  }

  async sendHairpin(label: string, to: Endpoint, receiver: string): Promise<Endpoint | null> {
    const inside = this.#insider(receiver);
    const before = inside.received.length;
    this.#insider(label).send({ ip: to.address, port: to.port }, HELLO);
    return this.#arrival(inside, before);
  }

  async localPort(label: string): Promise<number> {
    return this.#insider(label).port;
  }

  async advance(ms: number): Promise<void> {
    await this.#lab.timeline.runFor(ms);
  }

  async #arrival(socket: LoggedSocket, before: number): Promise<Endpoint | null> {
    await this.#lab.timeline.runFor(CROSSING_MS);
    const from = socket.received[before]?.from;
    return from === undefined ? null : { address: from.ip, port: from.port };
  }

  #insider(label: string): LoggedSocket {
    const socket = this.#inside.get(label) ?? this.#lab.socket(this.#host);
    this.#inside.set(label, socket);
    return socket;
  }

  #remote(name: Outside): { address: string; socket: LoggedSocket } {
    const found = this.#outside.get(name);
    if (found === undefined) throw new Error(`no remote ${name}`);
    return found;
  }
}

function allocation(ports: ExpectedNat['ports']): PortAllocation {
  switch (ports.kind) {
    case 'preserved':
    case 'random':
      return ports;
    case 'sequential':
      return { ...ports, foreignPerSecond: 0 };
    case 'block':
      return { kind: 'block', size: ports.size, within: 'random' };
  }
}

describe('the simulated NAT', () => {
  for (const { name, behaviour } of natTable) {
    test(name, async () => {
      const nat = new SimulatedNat({
        mapping: behaviour.mapping,
        filtering: behaviour.filtering,
        ports: allocation(behaviour.ports),
        hairpin: behaviour.hairpin ? 'external-source' : 'none',
        inboundRefresh: behaviour.inboundRefresh,
        // Without a lifetime in the row the cases take no time that matters.
        mappingLifetimeMs: behaviour.lifetimeMs ?? 120_000,
        ...(behaviour.filterLifetimeMs === undefined ? {} : { filterLifetimeMs: behaviour.filterLifetimeMs }),
      });
      const cases = conformanceCases({ ...behaviour, external: [EXTERNAL] });
      expect(cases.length).toBeGreaterThan(4);
      for (const { run } of cases) await run(nat);
    });
  }
});

describe('the simulated netfilter', () => {
  for (const [profile, expected] of [
    ['netfilter', masquerade],
    ['netfilter-accepting', masquerade],
    ['symmetric-random', fullyRandom],
  ] as const) {
    test(profile, async () => {
      const { lifetimeMs, inboundRefresh } = netfilterBehaviour;
      const nat = new SimulatedNat({ ...NATS[profile], mappingLifetimeMs: lifetimeMs, inboundRefresh });
      const cases = conformanceCases({ ...netfilterBehaviour, ...expected, external: [EXTERNAL] });
      expect(cases.length).toBeGreaterThan(6);
      for (const { run } of cases) await run(nat);
    });
  }
});
