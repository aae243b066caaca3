/** A way in through an IPv6 router's firewall, opened by miniupnpd over PCP or UPnP, and closed again. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../until.ts';
import { Member, RendezvousServer, warren } from './cli.ts';
import { Miniupnpd, type MiniupnpdOptions } from './miniupnpd.ts';
import { describeLab } from './requirements.ts';
import { bothOver } from './room.ts';
import { type Host, startTopology, type Topology } from './topology.ts';

const PROTOCOLS = ['pcp', 'upnp'] as const;

/** A home with a stateful firewall over IPv6, and a stranger on the Internet. */
class World {
  readonly topology: Topology;
  readonly server: RendezvousServer;
  readonly router: Miniupnpd;
  readonly home: Host;
  readonly stranger: Host;
  readonly #members: Member[] = [];

  private constructor(topology: Topology, server: RendezvousServer, router: Miniupnpd) {
    this.topology = topology;
    this.server = server;
    this.router = router;
    this.home = topology.site('home').hosts[0]!;
    this.stranger = topology.site('stranger').hosts[0]!;
  }

  static async build(options: MiniupnpdOptions): Promise<World> {
    const topology = await startTopology({
      sites: [
        // Not a documentation range: miniupnpd takes those for reserved.
        { name: 'home', nat: { kernel: 'fully-random' }, external: '81.2.69.10', ipv6: 'firewalled' },
        { name: 'stranger', nat: 'public', ipv6: 'open' },
      ],
    });
    try {
      const server = await RendezvousServer.start(topology.lab, topology.server);
      return new World(
        topology,
        server,
        await Miniupnpd.start(topology.lab, topology.site('home').gateway!, { ipv6: true, ...options }),
      );
    } catch (error) {
      await topology.close();
      throw error;
    }
  }

  async join(host: Host, stateDir?: string, extra: readonly string[] = []): Promise<Member> {
    const member = await Member.start(this.topology.lab, host.namespace, {
      room: 'pinhole',
      password: 'warm-otter-beacon-42',
      nick: host.name,
      servers: [this.server.url],
      create: this.#members.length === 0,
      stateDir,
      extra,
    });
    this.#members.push(member);
    return member;
  }

  /** Whether a datagram that nobody asked for gets in to the tunnel's port. */
  async isOpen(port: number): Promise<boolean> {
    const { lab } = this.topology;
    const rules = `table inet seen {
      chain input {
        type filter hook input priority -300;
        ip6 saddr ${this.stranger.ipv6} udp dport ${port} counter
      }
    }`;
    const host = this.home.namespace;
    expect(await lab.run(host, ['nft', '-f', '-'], { input: rules })).toMatchObject({ code: 0 });
    // Ten from ten ports: none is an answer to anything.
    const send = `const s=require('dgram');for(let i=0;i<10;i++){const u=s.createSocket('udp6');u.send('hello',${port},'${this.home.ipv6}',()=>u.close())}`;
    await lab.run(this.stranger.namespace, [process.execPath, '-e', send]);
    // What follows on the same way has arrived when its answer is back.
    await lab.run(this.stranger.namespace, ['ping', '-6', '-c', '1', '-W', '2', this.topology.server.ipv6]);
    const { stdout } = await lab.run(host, ['nft', 'list', 'table', 'inet', 'seen']);
    await lab.run(host, ['nft', 'delete', 'table', 'inet', 'seen']);
    return Number(/packets (\d+)/.exec(stdout)?.[1]) > 0;
  }

  async isGone(): Promise<void> {
    await until('the router has no pinhole', async () => (await this.router.pinholes()).length === 0);
  }

  async close(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.stop()));
    await this.server.stop();
    await this.router.stop();
    await this.topology.close();
  }
}

const pinholed = (member: Member) =>
  member.waitFor('an active pinhole', ({ self }) => self?.nat.portMapping.pinhole?.state === 'active');
const portOf = (external: string | undefined): number => Number(external?.split(']:')[1]);

describeLab('the firewall of an IPv6 router', () => {
  let world: World;

  afterEach(async () => {
    await world?.close();
  });

  describe.for(PROTOCOLS)('asked over %s alone', (protocol) => {
    it('lets strangers in to the tunnel’s port while the setting is on, and nobody when it is off', async () => {
      world = await World.build({ protocols: [protocol] });
      const here = await world.join(world.home);
      const { self } = await pinholed(here);
      const pinhole = self?.nat.portMapping.pinhole;
      const port = portOf(pinhole?.external);
      expect(pinhole).toEqual({ state: 'active', protocol, external: `[${world.home.ipv6}]:${port}` });
      expect(await world.router.pinholes()).toEqual([pinhole?.external]);
      expect(await world.isOpen(port)).toBe(true);
      expect(await world.isOpen(port ^ 1)).toBe(false);

      const set = (on: string) => ['set', 'port-mapping', on, '--state-dir', here.stateDir];
      await warren(world.topology.lab, here.namespace, set('off'));
      await here.waitFor('the toggle shows', ({ self: me }) => me?.nat.portMapping.state === 'off');
      await world.isGone();
      expect(await world.isOpen(port)).toBe(false);
      await warren(world.topology.lab, here.namespace, set('on'));
      await pinholed(here);
      expect(await world.isOpen(port)).toBe(true);
      expect(await here.stop('SIGTERM')).toBe(0);
      await world.isGone();
    });

    it('after kill -9 has no more than the next run’s pinhole', async () => {
      world = await World.build({ protocols: [protocol] });
      const stateDir = await mkdtemp(join(tmpdir(), 'warren-pinhole-'));
      try {
        const first = await world.join(world.home, stateDir);
        await pinholed(first);
        await first.stop('SIGKILL');
        const [left] = await world.router.pinholes();
        expect(left).toBeDefined();
        const second = await world.join(world.home, stateDir);
        const { self } = await pinholed(second);
        const now = self?.nat.portMapping.pinhole?.external;
        await until('one pinhole, the new one', async () => {
          const pinholes = await world.router.pinholes();
          return pinholes.length === 1 && pinholes[0] === now;
        });
        expect(now).not.toBe(left);
        await second.stop();
      } finally {
        await rm(stateDir, { recursive: true, force: true });
      }
    });
  });

  it('is told nothing when --no-port-mapping forbids it', async () => {
    world = await World.build({ protocols: PROTOCOLS });
    const { self } = await (await world.join(world.home, undefined, ['--no-port-mapping'])).joined();
    expect(self?.nat.portMapping).toEqual({ state: 'off' });
    expect(await world.router.pinholes()).toEqual([]);
  });

  it('shows in netcheck, which closes it again, and the friend comes over IPv6', async () => {
    world = await World.build({ protocols: PROTOCOLS });
    const asked = [
      'netcheck',
      '--json',
      '--server',
      world.server.url,
      '--stun',
      `[${world.topology.server.ipv6}]:3478`,
    ];
    const { stdout, stderr } = await warren(world.topology.lab, world.home.namespace, asked);
    const { nat } = JSON.parse(stdout || `{"nat":${JSON.stringify(stderr)}}`) as { nat: unknown };
    expect(nat).toMatchObject({ portMapping: { pinhole: { state: 'active', protocol: 'pcp' } } });
    await world.isGone();
    const here = await world.join(world.home);
    await pinholed(here);
    await bothOver(here, await world.join(world.stranger), ['ipv6']);
  });
});
