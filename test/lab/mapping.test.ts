/** Port mapping through the command line, against miniupnpd in a router of netfilter. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { MappingProtocol } from '../../engine/core/mapping/contract.ts';
import { until } from '../until.ts';
import { Member, RendezvousServer, warren } from './cli.ts';
import { Miniupnpd, type MiniupnpdOptions } from './miniupnpd.ts';
import { routerNats } from './nats.ts';
import { describeLab } from './requirements.ts';
import { bothOver } from './room.ts';
import { type SiteSpec, type Topology, startTopology } from './topology.ts';

/** Not a documentation range: miniupnpd takes those for reserved. */
const EXTERNAL = '81.2.69.10';
const PROTOCOLS: readonly MappingProtocol[] = ['pcp', 'nat-pmp', 'upnp'];

/** What the daemon notes of a request over each. */
const ASKED = [/PCP ANNOUNCE|PCP request/i, /NAT-PMP request/i, /M-SEARCH/] as const;

const home: SiteSpec = { name: 'home', nat: { kernel: 'fully-random' }, external: EXTERNAL };
/** Cannot be passed together with `home`'s symmetric NAT, but for a mapping. */
const friend: SiteSpec = { name: 'friend', nat: 'symmetric-random' };

/** What a test has running, taken down in the opposite order. */
class World {
  readonly topology: Topology;
  readonly server: RendezvousServer;
  readonly router: Miniupnpd;
  readonly #members: Member[] = [];
  readonly #directories: string[] = [];

  private constructor(topology: Topology, server: RendezvousServer, router: Miniupnpd) {
    this.topology = topology;
    this.server = server;
    this.router = router;
  }

  static async build(sites: readonly SiteSpec[], options: MiniupnpdOptions): Promise<World> {
    const carriers = [{ name: 'carrier', nat: routerNats['symmetric-random'] }];
    const topology = await startTopology({ sites, carriers });
    try {
      const server = await RendezvousServer.start(topology.lab, topology.server);
      const { gateway } = topology.site('home');
      if (gateway === null) throw new Error('home has no gateway');
      return new World(topology, server, await Miniupnpd.start(topology.lab, gateway, options));
    } catch (error) {
      await topology.close();
      throw error;
    }
  }

  async directory(): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), 'warren-mapping-'));
    this.#directories.push(directory);
    return directory;
  }

  async join(site: string, stateDir?: string, extra: readonly string[] = []): Promise<Member> {
    const member = await Member.start(this.topology.lab, this.topology.site(site).hosts[0]!.namespace, {
      room: 'mapping',
      password: 'warm-otter-beacon-42',
      nick: site,
      servers: [this.server.url],
      create: this.#members.length === 0,
      stateDir,
      extra,
    });
    this.#members.push(member);
    return member;
  }

  /** In the daemon's books and in the kernel. */
  async portIsGone(): Promise<void> {
    await until('the router forwards nothing', async () => {
      return (await this.router.leases()).length === 0 && (await this.router.forwarded()).length === 0;
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.stop()));
    await this.server.stop();
    await this.router.stop();
    await this.topology.close();
    await Promise.all(this.#directories.map((directory) => rm(directory, { recursive: true, force: true })));
  }
}

const mapped = (member: Member) =>
  member.waitFor('an active mapping', ({ self }) => self?.nat.portMapping.state === 'active');

describeLab('a router that opens ports', () => {
  let world: World;

  afterEach(async () => {
    await world?.close();
  });

  describe.for(PROTOCOLS)('over %s alone', (protocol) => {
    it('makes a symmetric friend direct, and closes the port when it is turned off', async () => {
      world = await World.build([home, friend], { protocols: [protocol] });
      const here = await world.join('home');
      const { self } = await mapped(here);
      const [lease] = await world.router.leases();
      const external = `${EXTERNAL}:${lease?.externalPort}`;
      expect(self?.nat.portMapping).toEqual({ state: 'active', protocol, external, doubleNat: false });
      expect(await world.router.forwarded()).toEqual([lease?.externalPort]);
      const there = await world.join('friend');
      await bothOver(here, there, ['direct']);
      expect(there.peer('home')?.path?.remote).toBe(external);

      const off = ['set', 'port-mapping', 'off', '--state-dir', here.stateDir];
      await warren(world.topology.lab, here.namespace, off);
      await world.portIsGone();
      await here.waitFor('the toggle shows', ({ self: me }) => me?.nat.portMapping.state === 'off');
      await warren(world.topology.lab, here.namespace, [...off.slice(0, 2), 'on', ...off.slice(3)]);
      await mapped(here);
    });

    it('closes the port on SIGTERM; after kill -9 the next run takes it over', async () => {
      world = await World.build([home], { protocols: [protocol] });
      const stateDir = await world.directory();
      const first = await world.join('home', stateDir);
      await mapped(first);
      const [lease] = await world.router.leases();
      await first.stop('SIGKILL');
      const left = await world.router.leases();
      expect(left).toHaveLength(1);
      expect(left[0]!.expires).toBeGreaterThan(Date.now() / 1_000);
      expect(left[0]!.expires).toBeLessThanOrEqual(Date.now() / 1_000 + 7_200);

      const second = await world.join('home', stateDir);
      const { self } = await mapped(second);
      expect(self?.nat.portMapping.external).toBe(`${EXTERNAL}:${lease?.externalPort}`);
      await until('one lease, the new one', async () => {
        const leases = await world.router.leases();
        return leases.length === 1 && leases[0]!.internalPort !== lease?.internalPort;
      });
      expect(await second.stop('SIGTERM')).toBe(0);
      await world.portIsGone();
    });
  });

  it('is asked by all three protocols at once, and opens one port', async () => {
    world = await World.build([home], { protocols: PROTOCOLS });
    const { self } = await mapped(await world.join('home'));
    expect(self?.nat.portMapping.protocol).toBe('pcp');
    expect(await world.router.leases()).toHaveLength(1);
    for (const asked of ASKED) expect(world.router.output).toMatch(asked);
  });

  it('shows in netcheck, which leaves nothing behind', async () => {
    world = await World.build([home], { protocols: PROTOCOLS });
    const { lab, site } = world.topology;
    const asked = ['netcheck', '--json', '--server', world.server.url];
    const { stdout, stderr } = await warren(lab, site('home').hosts[0]!.namespace, asked);
    const { nat } = JSON.parse(stdout || `{"nat":${JSON.stringify(stderr)}}`) as { nat: unknown };
    expect(nat).toMatchObject({ portMapping: { state: 'active', protocol: 'pcp', doubleNat: false } });
    await world.portIsGone();
  });

  it('behind a carrier’s NAT is told as such, and lets in a neighbour behind the same', async () => {
    const carrier = 'carrier';
    world = await World.build(
      [
        { ...home, carrier },
        { ...friend, carrier },
      ],
      { protocols: ['nat-pmp'] },
    );
    const here = await world.join('home');
    const { self } = await here.waitFor('a mapping behind another NAT', ({ self: me }) => {
      return me?.nat.portMapping.doubleNat === true;
    });
    const [lease] = await world.router.leases();
    const external = `${EXTERNAL}:${lease?.externalPort}`;
    expect(self?.nat.portMapping).toMatchObject({ state: 'active', external });
    expect(self?.nat.publicAddresses).not.toContain(EXTERNAL);
    const there = await world.join('friend');
    await bothOver(here, there, ['direct']);
    expect(there.peer('home')?.path?.remote).toBe(external);
  });

  it('is left when the way out is another, and asked again when it is back', async () => {
    world = await World.build([home], { protocols: ['pcp'] });
    const member = await world.join('home');
    await mapped(member);
    const route = (change: string) =>
      world.topology.lab.script(`ip -n ${member.namespace.name} route ${change} default via 192.168.1.1`);
    await route('delete');
    await member.waitFor('no mapping', ({ self }) => self?.nat.portMapping.state === 'none');
    await world.portIsGone();
    await route('add');
    await mapped(member);
  });

  it('that dies with its host’s process closes the port by itself', async () => {
    world = await World.build([home], { protocols: ['pcp'], maxLifetimeS: 4 });
    const member = await world.join('home');
    await mapped(member);
    await member.stop('SIGKILL');
    await world.portIsGone();
  });

  it('is told when --no-port-mapping forbids it: nothing', async () => {
    world = await World.build([home], { protocols: PROTOCOLS });
    const member = await world.join('home', undefined, ['--no-port-mapping']);
    const { self } = await member.joined();
    expect(self?.nat.portMapping).toEqual({ state: 'off' });
    expect(await world.router.leases()).toEqual([]);
    for (const asked of ASKED) expect(world.router.output).not.toMatch(asked);
  });
});
