/** Port mapping through the command line, against miniupnpd in a router of netfilter. */
import { afterEach, describe, expect, it } from 'vitest';
import type { MappingProtocol } from '../../engine/core/mapping/contract.ts';
import { Member, RendezvousServer } from './cli.ts';
import { Miniupnpd } from './miniupnpd.ts';
import { describeLab } from './requirements.ts';
import { bothOver } from './room.ts';
import { type Topology, startTopology } from './topology.ts';

/** Not a documentation range: miniupnpd takes those for reserved. */
const EXTERNAL = '81.2.69.10';
const PROTOCOLS: readonly MappingProtocol[] = ['pcp', 'nat-pmp', 'upnp'];
const room = { room: 'mapping', password: 'warm-otter-beacon-42' };

interface World {
  topology: Topology;
  server: RendezvousServer;
  router: Miniupnpd;
}

async function build(
  protocols: readonly MappingProtocol[],
  { friends = false, maxLifetimeS }: { friends?: boolean; maxLifetimeS?: number } = {},
): Promise<World> {
  const topology = await startTopology({
    sites: [
      { name: 'home', nat: { kernel: 'fully-random' }, external: EXTERNAL },
      ...(friends ? [{ name: 'friend', nat: 'symmetric-random' as const }] : []),
    ],
  });
  const server = await RendezvousServer.start(topology.lab, topology.server);
  const gateway = topology.site('home').gateway;
  if (gateway === null) throw new Error('home has no gateway');
  const router = await Miniupnpd.start(topology.lab, gateway, { protocols, maxLifetimeS });
  return { topology, server, router };
}

describeLab('a router that opens ports', () => {
  let world: World | null = null;
  const members: Member[] = [];

  afterEach(async () => {
    await Promise.all(members.splice(0).map((member) => member.stop()));
    await world?.server.stop();
    await world?.router.stop();
    await world?.topology.close();
    world = null;
  });

  const join = async (site: string, extra: readonly string[] = [], stateDir?: string): Promise<Member> => {
    const { topology, server } = world as World;
    const namespace = topology.site(site).hosts[0]!.namespace;
    const create = members.length === 0;
    const member = await Member.start(topology.lab, namespace, {
      ...room,
      nick: site,
      servers: [server.url],
      create,
      extra,
      stateDir,
    });
    members.push(member);
    return member;
  };
  const active = (member: Member) =>
    member.waitFor('an active mapping', ({ self }) => self?.nat.portMapping.state === 'active');

  describe.for(PROTOCOLS)('over %s alone', (protocol) => {
    it('maps the tunnel, makes a symmetric friend direct, and deletes when it is turned off', async () => {
      world = await build([protocol], { friends: true });
      const home = await join('home');
      const { self } = await active(home);
      const [lease] = await world.router.leases();
      expect(self?.nat.portMapping).toEqual({
        state: 'active',
        protocol,
        external: `${EXTERNAL}:${lease?.externalPort}`,
        doubleNat: false,
      });
      const friend = await join('friend');
      await bothOver(home, friend, ['direct']);
      expect(friend.peer('home')?.path?.remote).toBe(`${EXTERNAL}:${lease?.externalPort}`);
    });
  });
});
