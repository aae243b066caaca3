import { afterEach, describe, expect, it } from 'vitest';
import { type NetcheckOptions, type NetcheckResult, netcheck } from '../../../engine/netcheck.ts';
import { MainThread } from '../../sim/core/thread.ts';
import { SimDevice } from '../../sim/device.ts';
import type { NatOptions } from '../../sim/net/nat.ts';
import { SimRendezvous, simClock, simInterfaces, simRandom } from '../../sim/ports.ts';
import { createWorld, type World, type WorldOptions } from '../../sim/world.ts';

const NATS: Record<string, NatOptions> = {
  NAT1: { mapping: 'endpoint-independent', filtering: 'endpoint-independent', ports: { kind: 'preserved' } },
  NAT2: { mapping: 'endpoint-independent', filtering: 'address-dependent', ports: { kind: 'preserved' } },
  NAT3: { mapping: 'endpoint-independent', filtering: 'address-and-port-dependent', ports: { kind: 'preserved' } },
  NAT4: { mapping: 'address-and-port-dependent', filtering: 'address-and-port-dependent', ports: { kind: 'random' } },
};

let world: World | null = null;
afterEach(() => world?.close());

/** Runs netcheck on a host of a simulated world, whose clock goes as far as it takes. */
async function check(
  options: Omit<WorldOptions, 'seed'>,
  change: Partial<NetcheckOptions> = {},
): Promise<{ result: NetcheckResult; tookMs: number }> {
  world = createWorld({ seed: 1, ...options });
  const { timeline, servers, random } = world;
  const { host } = world.member('m0');
  const thread = new MainThread(timeline);
  const device = new SimDevice({ timeline, random, host, thread, privateKey: random.bytes(32) });
  const begun = timeline.now();
  const running = netcheck(
    {
      clock: simClock(timeline, thread),
      random: simRandom(random),
      rendezvous: new SimRendezvous(timeline, thread, host, servers),
      mapping: null,
      nat64: null,
      device,
    },
    {
      servers: servers.map((server) => `ws://${server.address}:8787`),
      stun: [],
      addresses: simInterfaces(host, thread).addresses(),
      signal: new AbortController().signal,
      ...change,
    },
  );
  let over = false;
  const settled = () => {
    over = true;
  };
  running.then(settled, settled);
  await timeline.until(() => over, 60_000);
  return { result: await running, tookMs: timeline.now() - begun };
}

describe('netcheck', () => {
  it.each(['NAT1', 'NAT2', 'NAT3', 'NAT4'])('tells %s by a server with two addresses', async (type) => {
    const { result, tookMs } = await check({ sites: [{ nats: [NATS[type]!] }], servers: [{ twoAddresses: true }] });
    expect(result.nat.type).toBe(type);
    expect(result.nat.mapping).toBe(NATS[type]!.mapping);
    expect(result.nat.filtering).toBe(NATS[type]!.filtering);
    expect(tookMs).toBeLessThan(8_000);
  });

  it('tells a public host', async () => {
    const { result } = await check({ sites: [{}], servers: [{ twoAddresses: true }] });
    expect(result.nat).toMatchObject({ type: 'open', mapping: 'none' });
  });

  it('times the server over the WebSocket and over STUN', async () => {
    const { result } = await check({ sites: [{ nats: [NATS.NAT3!], link: { delayMs: 30 } }] });
    // 30 ms for the client's line and 5 for the server's, both ways; the LAN adds a little.
    expect(result.servers).toEqual([{ url: expect.any(String), rttMs: expect.any(Number), error: null }]);
    expect(result.servers[0]!.rttMs).toBeGreaterThanOrEqual(70);
    expect(result.servers[0]!.rttMs).toBeLessThan(80);
    expect(result.stun).toHaveLength(1);
    expect(result.stun[0]!.rttMs).toBeGreaterThanOrEqual(70);
    expect(result.stun[0]!.rttMs).toBeLessThan(80);
  });

  it('needs no rendezvous server when it is given a STUN server', async () => {
    const ip = '203.0.113.10';
    const stun = [{ primary: { ip, port: 3478 }, secondPort: null, alternate: null }];
    const { result } = await check({ sites: [{ nats: [NATS.NAT1!] }] }, { servers: [], stun });
    expect(result.nat.publicAddresses).toEqual(['198.51.100.10']);
    expect(result.stun).toEqual([{ endpoint: `${ip}:3478`, rttMs: expect.any(Number) }]);
    expect(result.servers).toEqual([]);
  });

  it('says which server did not answer, beside one that did', async () => {
    const { result } = await check(
      { sites: [{ nats: [NATS.NAT3!] }] },
      { servers: ['ws://203.0.113.10:8787', 'ws://203.0.113.99:8787'] },
    );
    expect(result.servers.map(({ error }) => error === null)).toEqual([true, false]);
    expect(result.nat.publicAddresses).toEqual(['198.51.100.10']);
  });

  it('fails with `no-server` when none answers, and says why', async () => {
    await expect(check({ sites: [{}] }, { servers: ['ws://203.0.113.99:8787'] })).rejects.toMatchObject({
      code: 'no-server',
      message: expect.stringContaining('203.0.113.99'),
    });
  });
});
