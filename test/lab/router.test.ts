/** What the user-space router does beside translating: limits, faults, links, and the things that tests switch while it runs. */

import { setTimeout as elapse } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Endpoint } from './conformance/contract.ts';
import { Probe } from './conformance/probe.ts';
import { routerNats } from './nats.ts';
import { describeLab } from './requirements.ts';
import type { NodeStats } from './router.ts';
import { type Host, type SiteSpec, startTopology, type Topology } from './topology.ts';

const plain = routerNats['port-restricted'];
const sites = [
  { name: 'ttl', nat: plain },
  { name: 'icmp', nat: { ...plain, icmpKillsMappings: true } },
  { name: 'few-mappings', nat: { ...plain, maxMappings: 3 } },
  { name: 'few-sessions', nat: { ...plain, maxSessions: 3 } },
  { name: 'pool', nat: { ...plain, pooling: 'arbitrary', external: ['203.0.113.100', '203.0.113.101'] } },
  { name: 'switched', nat: plain, ipv6: 'firewalled' },
  { name: 'link', nat: plain },
  { name: 'customer', nat: plain, carrier: 'carrier' },
  { name: 'two-hosts', nat: plain, hosts: 2 },
  { name: 'flows', nat: { ...routerNats['symmetric-random'], filtering: 'endpoint-independent', flows: true } },
  { name: 'shared-ports', nat: { ...routerNats['symmetric-random'], ports: { kind: 'preserved' }, overload: true } },
] as const satisfies readonly SiteSpec[];
type SiteName = (typeof sites)[number]['name'];

describeLab('the user-space router', () => {
  let topology: Topology;
  let outside: Probe;
  const inside = new Map<SiteName, Probe>();
  const target: Endpoint = { address: '198.51.100.10', port: 40_001 };
  const elsewhere: Endpoint = { address: '198.51.100.11', port: 40_001 };
  let sent = 0;

  beforeAll(async () => {
    topology = await startTopology({ sites, carriers: [{ name: 'carrier', nat: routerNats['full-cone'] }] });
    outside = new Probe(topology.lab, topology.server.namespace);
    await outside.open('target', target);
    await outside.open('elsewhere', elsewhere);
    for (const { name } of sites) inside.set(name, new Probe(topology.lab, hostOf(name).namespace));
  });
  afterAll(() => topology?.close());

  const hostOf = (name: SiteName): Host => topology.site(name).hosts[0]!;
  const probeOf = (name: SiteName): Probe => inside.get(name) as Probe;
  const statsOf = async (name: SiteName): Promise<NodeStats> => (await topology.router.stats())[name]!;

  /** Source under which a datagram reaches the outside, or null. */
  async function seen(
    site: SiteName,
    label: string,
    options: { ttl?: number; to?: Endpoint } = {},
  ): Promise<Endpoint | null> {
    const text = `${site} ${(sent += 1)}`;
    const to = options.to ?? target;
    const arrival = outside.arrival(to === target ? 'target' : 'elsewhere', text);
    await probeOf(site).send(label, to, text, options);
    return arrival;
  }

  /** Numbers of the datagrams "order N", as they arrived outside. */
  function order(): number[] {
    return outside.received.flatMap((text) => /^order (\d+)$/.exec(text)?.[1] ?? []).map(Number);
  }

  async function pings(site: SiteName, ...argv: string[]): Promise<string> {
    const { stdout } = await topology.lab.run(hostOf(site).namespace, ['ping', '-n', '-c', '1', '-W', '1', ...argv]);
    return stdout;
  }

  it('opens a mapping for a packet that dies behind it of its TTL', async () => {
    await probeOf('ttl').open('x');
    expect(await seen('ttl', 'x', { ttl: 2 })).toBeNull();
    const { nat, ttlExpired } = await statsOf('ttl');
    expect(nat?.mappings).toBe(1);
    expect(ttlExpired).toBe(1);
    expect(await seen('ttl', 'x', { ttl: 3 })).not.toBeNull();
    expect(await pings('ttl', '-t', '2', target.address)).toContain('Time to live exceeded');
  });

  it('ends a mapping at an ICMP error where it is told to', async () => {
    await probeOf('icmp').open('x');
    const closedPort = { address: target.address, port: 9 };
    await probeOf('icmp').send('x', closedPort, 'to nobody');
    await expect.poll(async () => (await statsOf('icmp')).nat).toMatchObject({ mappingsCreated: 1, mappings: 0 });
    const { downlink } = await statsOf('ttl');
    await probeOf('ttl').send('x', closedPort, 'to nobody');
    await expect.poll(async () => (await statsOf('ttl')).downlink.packets).toBe(downlink.packets + 1);
    expect((await statsOf('ttl')).nat?.mappings).toBeGreaterThanOrEqual(1);
  });

  it('runs out of mappings and of sessions', async () => {
    for (const label of ['a', 'b', 'c', 'd']) await probeOf('few-mappings').open(label);
    for (const label of ['a', 'b', 'c']) expect(await seen('few-mappings', label)).not.toBeNull();
    expect(await seen('few-mappings', 'd')).toBeNull();
    await probeOf('few-sessions').open('x');
    for (let port = 1; port <= 5; port += 1) {
      await probeOf('few-sessions').send('x', { address: elsewhere.address, port }, 'spray');
    }
    await expect
      .poll(async () => (await statsOf('few-sessions')).nat)
      .toMatchObject({ sessions: 3, mappings: 1, exhausted: 2 });
  });

  it('draws addresses from an arbitrary pool', async () => {
    const addresses = new Set<string | undefined>();
    for (let index = 0; index < 12; index += 1) {
      await probeOf('pool').open(`pool ${index}`);
      addresses.add((await seen('pool', `pool ${index}`))?.address);
    }
    expect([...addresses].toSorted()).toEqual(['203.0.113.100', '203.0.113.101']);
  });

  it('preserves the port for one host and gives the other, that wants the same, another', async () => {
    const ports: (number | undefined)[] = [];
    for (const host of topology.site('two-hosts').hosts) {
      const probe = new Probe(topology.lab, host.namespace);
      await probe.open('x', { port: 50_000 });
      const text = `from ${host.name}`;
      const arrival = outside.arrival('target', text);
      await probe.send('x', target, text);
      ports.push((await arrival)?.port);
      await probe.stop();
    }
    expect(ports[0]).toBe(50_000);
    expect(ports[1]).not.toBe(50_000);
    expect(ports[1]).toBeDefined();
  });

  it('answers from the mapping that let a question in where it is told to', async () => {
    await probeOf('flows').open('x');
    const external = await seen('flows', 'x');
    const asked = probeOf('flows').arrival('x', 'a question');
    await outside.send('elsewhere', external!, 'a question');
    expect(await asked).toEqual(elsewhere);
    expect(await seen('flows', 'x', { to: elsewhere })).toEqual(external);
    // Those that nobody asked from have mappings of their own.
    await probeOf('flows').open('y');
    expect(await seen('flows', 'y')).not.toEqual(await seen('flows', 'y', { to: elsewhere }));
  });

  it('shares one external port between remotes where it is told to', async () => {
    await probeOf('shared-ports').open('x', { port: 50_000 });
    expect((await seen('shared-ports', 'x'))?.port).toBe(50_000);
    expect((await seen('shared-ports', 'x', { to: elsewhere }))?.port).toBe(50_000);
    expect((await statsOf('shared-ports')).nat?.mappings).toBe(2);
  });

  it('chains NATs below a carrier’s', async () => {
    await probeOf('customer').open('x');
    expect((await seen('customer', 'x'))?.address).toBe('203.0.113.200');
    expect(topology.site('customer').external).toBe('100.64.0.17');
  });

  it('blocks one path or one direction, and UDP alone', async () => {
    const { router } = topology;
    await probeOf('switched').open('x');
    const external = await seen('switched', 'x');
    expect(external).not.toBeNull();
    await router.block('switched', { direction: 'up', remote: [target.address] });
    expect(await seen('switched', 'x')).toBeNull();
    expect(await seen('switched', 'x', { to: elsewhere })).not.toBeNull();
    await router.unblock('switched');
    expect(await seen('switched', 'x')).not.toBeNull();
    await router.setUdpBlocked('switched', true);
    expect(await seen('switched', 'x')).toBeNull();
    expect(await pings('switched', target.address)).toContain('1 received');
    await router.setUdpBlocked('switched', false);
  });

  it('reboots, with its tables lost and another address', async () => {
    const { router } = topology;
    await probeOf('switched').open('rebooted');
    const before = await seen('switched', 'rebooted');
    await router.reboot('switched', { downMs: 500, external: ['203.0.113.150'] });
    expect(await seen('switched', 'rebooted')).toBeNull();
    await expect
      .poll(() => seen('switched', 'rebooted'), { timeout: 5_000 })
      .toMatchObject({ address: '203.0.113.150' });
    const arrival = probeOf('switched').arrival('rebooted', 'to the old address');
    await outside.send('target', before!, 'to the old address');
    expect(await arrival).toBeNull();
  });

  it('lets nothing in over IPv6 that was not asked for', async () => {
    const host = hostOf('switched');
    await probeOf('switched').open('v6', { address: '::', port: 40_006 });
    await outside.open('v6', { address: topology.server.ipv6, port: 40_006 });
    const at = { address: host.ipv6!, port: 40_006 };
    const stranger = probeOf('switched').arrival('v6', 'unasked');
    await outside.send('v6', at, 'unasked');
    expect(await stranger).toBeNull();
    await probeOf('switched').send('v6', { address: topology.server.ipv6, port: 40_006 }, 'asking');
    const answer = probeOf('switched').arrival('v6', 'asked');
    await outside.send('v6', at, 'asked');
    expect(await answer).not.toBeNull();
  });

  it('fragments, answers with ICMP, or swallows what is too big for a link', async () => {
    const { router } = topology;
    expect(await pings('link', '-s', '3000', target.address)).toContain('1 received');
    await router.setLink('link', { mtu: 1300 });
    expect(await pings('link', '-s', '1400', '-M', 'dont', target.address)).toContain('1 received');
    await router.setLink('link', { mtuIcmp: false });
    expect(await pings('link', '-s', '1400', '-M', 'do', target.address)).toContain('0 received');
    await router.setLink('link', { mtuIcmp: true });
    expect(await pings('link', '-s', '1400', '-M', 'do', target.address)).toMatch(/mtu = 1300/);
    await router.setLink('link', { mtu: 65535 });
  });

  it('drops the tail before a bottleneck, delays what it keeps, and loses and reorders', async () => {
    const { router } = topology;
    const probe = probeOf('link');
    await probe.open('x');
    await seen('link', 'x');
    await router.setLink('link', { rateBps: 1_000_000, queueBytes: 20_000 }, 'up');
    const before = await statsOf('link');
    for (let index = 0; index < 60; index += 1) void probe.send('x', target, `burst ${index} `.padEnd(972, '.'));
    // 1,000 bytes on the wire each: twenty wait, one leaves every 8 ms.
    await expect
      .poll(async () => {
        const { uplink } = await statsOf('link');
        return uplink.packets + uplink.queueDrops - before.uplink.packets;
      })
      .toBe(60);
    const { uplink } = await statsOf('link');
    expect(uplink.queueDrops).toBeGreaterThan(20);
    expect(uplink.queueDrops).toBeLessThanOrEqual(40);
    await elapse(20 * 8); // the queue must be empty for what follows
    await router.setLink('link', { rateBps: 0, reorderPct: 20, reorderDelayMs: 5 }, 'up');
    for (let index = 0; index < 100; index += 1) await probe.send('x', target, `order ${index}`);
    await expect.poll(order).toHaveLength(100);
    expect(order()).not.toEqual(order().toSorted((a, b) => a - b));
    await router.setLink('link', { reorderPct: 0, lossPct: 100 }, 'up');
    expect(await seen('link', 'x')).toBeNull();
  });
});
