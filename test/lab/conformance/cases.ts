/**
 * The NAT conformance cases (RFC 4787, sections 4 to 6). They import neither the lab nor the simulator: whoever can implement
 * `NatUnderTest` runs them, and every implementation is held against the same table.
 *
 * Each case uses sockets of its own, so that they can run one after another on one NAT; never two at once, because the port cases
 * count mappings.
 */
import assert from 'node:assert/strict';
import type { Endpoint, ExpectedNat, ExpectedPorts, NatUnderTest, Outside } from './contract.ts';

export interface ConformanceCase {
  readonly name: string;
  /** Rejects with an assertion error when the NAT behaves otherwise than expected. */
  run(nat: NatUnderTest): Promise<void>;
}

/** The cases that apply to a NAT of this description. */
export function conformanceCases(expected: ExpectedNat): ConformanceCase[] {
  const cases = [
    mappingCase(expected),
    filteringCase(expected),
    answeredCase(),
    portsCase(expected.ports),
    hairpinCase(expected),
  ];
  if (expected.lifetimeMs === null) return cases;
  // Where filter entries end alone they end first, and hide when the mapping does.
  if (expected.filterLifetimeMs !== undefined) cases.push(filterLifetimeCase(expected, expected.filterLifetimeMs));
  else cases.push(lifetimeCase(expected.lifetimeMs), refreshCase(expected, expected.lifetimeMs));
  return cases;
}

/** Section 4.1: to whom one socket shows the same external endpoint. */
function mappingCase(expected: ExpectedNat): ConformanceCase {
  return {
    name: `mapping is ${expected.mapping}`,
    async run(nat) {
      const a1 = await mapped(nat, 'mapping', 'A1');
      const a2 = await mapped(nat, 'mapping', 'A2');
      const b1 = await mapped(nat, 'mapping', 'B1');
      const again = await mapped(nat, 'mapping', 'A1');
      for (const { address } of [a1, a2, b1])
        assert.ok(expected.external.includes(address), `external address ${address}`);
      assert.deepEqual(again, a1, 'a mapping stays as it is while it lives');
      assert.equal(same(a1, a2), expected.mapping !== 'address-and-port-dependent', `A1 ${show(a1)}, A2 ${show(a2)}`);
      assert.equal(same(a1, b1), expected.mapping === 'endpoint-independent', `A1 ${show(a1)}, B1 ${show(b1)}`);
    },
  };
}

/** Section 5: who may answer to a mapping that was opened by a datagram to A1. */
function filteringCase(expected: ExpectedNat): ConformanceCase {
  return {
    name: `filtering is ${expected.filtering}`,
    async run(nat) {
      const external = await mapped(nat, 'filtering', 'A1');
      const passes = (from: Outside): Promise<boolean> => nat.sendFromOutside(from, external, 'filtering');
      assert.equal(await passes('A1'), true, 'the remote itself');
      assert.equal(await passes('B1'), expected.filtering === 'endpoint-independent', 'another address');
      assert.equal(
        await passes('A2'),
        expected.filtering !== 'address-and-port-dependent',
        'another port of the same address',
      );
      assert.equal(await passes('A1'), true, 'the remote itself, after strangers have tried');
    },
  };
}

/** Whatever the behaviours: who is spoken to may answer to the endpoint that it saw. */
function answeredCase(): ConformanceCase {
  return {
    name: 'every remote can answer',
    async run(nat) {
      const remotes: Outside[] = ['A1', 'A2', 'B1', 'B2'];
      const seen = new Map<Outside, Endpoint>();
      for (const remote of remotes) seen.set(remote, await mapped(nat, 'answered', remote));
      for (const [remote, external] of seen)
        assert.equal(await nat.sendFromOutside(remote, external, 'answered'), true, remote);
    },
  };
}

/** Section 4.2.1 and what boxes really do: how the ports of fresh mappings follow each other. */
function portsCase(ports: ExpectedPorts): ConformanceCase {
  return {
    name: `ports are ${ports.kind}`,
    async run(nat) {
      const drawn: { local: number; external: number }[] = [];
      for (let index = 0; index < 8; index += 1) {
        const socket = `ports ${index}`;
        const { port } = await mapped(nat, socket, 'A1');
        drawn.push({ local: await nat.localPort(socket), external: port });
      }
      const external = drawn.map((draw) => draw.external);
      if (ports.kind === 'preserved') {
        for (const draw of drawn) assert.equal(draw.external, draw.local);
        return;
      }
      for (const port of external) assert.ok(port >= ports.low && port <= ports.high, `${port} is outside the range`);
      if (ports.kind === 'sequential') checkSequence(external, ports);
      else if (ports.kind === 'block') checkBlock(external, ports);
      else assert.ok(new Set(steps(external)).size > 2, `no pattern is expected in ${external.join(' ')}`);
    },
  };
}

function checkSequence(external: number[], ports: Extract<ExpectedPorts, { kind: 'sequential' }>): void {
  const span = ports.high - ports.low + 1;
  for (const step of steps(external)) {
    assert.equal((step - ports.step) % span, 0, `steps of ${ports.step} are expected in ${external.join(' ')}`);
  }
}

function checkBlock(external: number[], ports: Extract<ExpectedPorts, { kind: 'block' }>): void {
  const blocks = new Set(external.map((port) => Math.floor((port - ports.low) / ports.size)));
  assert.equal(blocks.size, 1, `one block of ${ports.size} is expected around ${external.join(' ')}`);
}

/** Section 6. The receiver must see an external source, or it would answer past the NAT. */
function hairpinCase(expected: ExpectedNat): ConformanceCase {
  return {
    name: expected.hairpin ? 'hairpins' : 'does not hairpin',
    async run(nat) {
      const external = await mapped(nat, 'hairpin target', 'A1');
      const source = await nat.sendHairpin('hairpin source', external, 'hairpin target');
      assert.equal(source !== null, expected.hairpin);
      if (source !== null) assert.ok(expected.external.includes(source.address), `the receiver saw ${show(source)}`);
    },
  };
}

/** Section 4.3, REQ-5 and REQ-6: outbound datagrams keep a mapping, silence ends it. */
function lifetimeCase(lifetimeMs: number): ConformanceCase {
  return {
    name: `mappings end after ${lifetimeMs} ms of silence`,
    async run(nat) {
      const external = await mapped(nat, 'lifetime', 'A1');
      for (let round = 0; round < 3; round += 1) {
        await nat.advance(0.6 * lifetimeMs);
        assert.deepEqual(await mapped(nat, 'lifetime', 'A1'), external, 'outbound datagrams refresh');
      }
      assert.equal(await nat.sendFromOutside('A1', external, 'lifetime'), true, 'the mapping lives');
      await nat.advance(1.4 * lifetimeMs);
      assert.equal(await nat.sendFromOutside('A1', external, 'lifetime'), false, 'the mapping has ended');
    },
  };
}

/** REQ-6: whether inbound datagrams keep a mapping. */
function refreshCase(expected: ExpectedNat, lifetimeMs: number): ConformanceCase {
  return {
    name: expected.inboundRefresh ? 'inbound datagrams refresh' : 'inbound datagrams do not refresh',
    async run(nat) {
      const external = await mapped(nat, 'refresh', 'A1');
      await nat.advance(0.6 * lifetimeMs);
      assert.equal(await nat.sendFromOutside('A1', external, 'refresh'), true);
      await nat.advance(0.6 * lifetimeMs);
      assert.equal(await nat.sendFromOutside('A1', external, 'refresh'), expected.inboundRefresh);
    },
  };
}

/** A filter entry that ends alone: the mapping goes on for another remote. Needs one mapping for both, and a filter. */
function filterLifetimeCase(expected: ExpectedNat, filterLifetimeMs: number): ConformanceCase {
  assert.equal(
    expected.mapping,
    'endpoint-independent',
    'filterLifetimeMs is checked with one mapping for all remotes',
  );
  assert.notEqual(expected.filtering, 'endpoint-independent', 'filterLifetimeMs is checked with a filter');
  return {
    name: `filter entries end after ${filterLifetimeMs} ms`,
    async run(nat) {
      const external = await mapped(nat, 'filter lifetime', 'A1');
      for (let round = 0; round < 3; round += 1) {
        assert.deepEqual(await mapped(nat, 'filter lifetime', 'B1'), external);
        await nat.advance(0.5 * filterLifetimeMs);
      }
      assert.equal(await nat.sendFromOutside('A1', external, 'filter lifetime'), false, 'the silent remote');
      assert.equal(await nat.sendFromOutside('B1', external, 'filter lifetime'), true, 'the other remote');
    },
  };
}

/** External endpoint of a socket towards a remote; a NAT must let outbound datagrams through. */
async function mapped(nat: NatUnderTest, socket: string, to: Outside): Promise<Endpoint> {
  const seen = await nat.sendFromInside(socket, to);
  assert.ok(seen !== null, `a datagram from "${socket}" reaches ${to}`);
  return seen;
}

const same = (a: Endpoint, b: Endpoint): boolean => a.address === b.address && a.port === b.port;
const show = ({ address, port }: Endpoint): string => `${address}:${port}`;
const steps = (values: number[]): number[] => values.slice(1).map((value, index) => value - (values[index] as number));
