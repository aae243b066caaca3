/** Neighbours: members behind one carrier's NAT, or behind one router, who share a public address. */
import { afterEach, expect, it } from 'vitest';
import { type Member, RendezvousServer } from './cli.ts';
import { routerNats } from './nats.ts';
import { describeLab } from './requirements.ts';
import { bothOver, joinAll } from './room.ts';
import { startTopology, type Topology } from './topology.ts';

const room = { room: 'neighbours', password: 'warm-otter-beacon-42' };
const carrier = 'carrier';

describeLab('two members behind one carrier’s NAT, each with a router', () => {
  let topology: Topology;
  let server: RendezvousServer;
  let members = new Map<string, Member>();

  afterEach(async () => {
    await Promise.all([...members.values()].map((member) => member.stop()));
    await server?.stop();
    await topology?.close();
  });

  async function join(hairpin: boolean): Promise<[ann: Member, bob: Member, cid: Member]> {
    topology = await startTopology({
      carriers: [{ name: carrier, nat: { ...routerNats['port-restricted'], hairpin } }],
      sites: [
        // The same LAN addresses behind both routers: neither may be taken for the other.
        { name: 'home', nat: 'port-restricted', carrier, lan: '192.168.1', hosts: 2 },
        { name: 'flat', nat: 'port-restricted', carrier, lan: '192.168.1' },
      ],
    });
    server = await RendezvousServer.start(topology.lab, topology.server);
    const [home, flat] = [topology.site('home'), topology.site('flat')];
    const players = [
      { nick: 'ann', namespace: home.hosts[0]!.namespace },
      { nick: 'bob', namespace: flat.hosts[0]!.namespace },
      { nick: 'cid', namespace: home.hosts[1]!.namespace },
    ];
    members = await joinAll(topology.lab, players, { ...room, servers: [server.url] });
    return players.map(({ nick }) => members.get(nick)!) as [Member, Member, Member];
  }

  it('meet at its public address where it turns packets back; in one LAN they meet there', async () => {
    const [ann, bob, cid] = await join(true);
    await bothOver(ann, cid, ['lan']);
    await bothOver(ann, bob, ['direct']);
    await bothOver(cid, bob, ['direct']);
    const [publicAddress] = (await ann.joined()).self?.nat.publicAddresses ?? [];
    expect(ann.peer('bob')?.path?.remote).toContain(`${publicAddress}:`);
    expect(await ann.kernelPing(bob.ipv4, 3)).toBeGreaterThan(0);
  });

  it('stay on the relay where it does not, and say why', async () => {
    const [ann, bob, cid] = await join(false);
    await bothOver(ann, cid, ['lan']);
    await Promise.all(
      [[ann, 'bob'] as const, [bob, 'ann'] as const].map(([member, other]) =>
        member.waitFor('a relay because nothing is turned back', ({ peers }) =>
          peers.some(({ nick, path, reason }) => nick === other && path?.kind === 'relay' && reason === 'no-hairpin'),
        ),
      ),
    );
    expect(await ann.kernelPing(bob.ipv4, 3)).toBeGreaterThan(0);
  });
});
