/** IPv6 where IPv4 is hopeless: stateful firewalls on both sides, of netfilter and of the user-space router. */
import { afterEach, expect, it } from 'vitest';
import { type Member, RendezvousServer } from './cli.ts';
import { describeLab } from './requirements.ts';
import { bothOver, joinAll } from './room.ts';
import { startTopology, type Topology } from './topology.ts';

describeLab('two symmetric NATs with random ports', () => {
  let topology: Topology;
  let server: RendezvousServer;
  let members = new Map<string, Member>();

  afterEach(async () => {
    await Promise.all([...members.values()].map((member) => member.stop()));
    await server?.stop();
    await topology?.close();
  });

  it('are passed by over IPv6, through both firewalls; a third without IPv6 is no worse off', async () => {
    topology = await startTopology({
      sites: [
        { name: 'ann', nat: 'kernel-fully-random', ipv6: 'firewalled' },
        { name: 'bob', nat: 'symmetric-random', ipv6: 'firewalled' },
        { name: 'cid', nat: 'full-cone' },
      ],
    });
    server = await RendezvousServer.start(topology.lab, topology.server);
    const players = ['ann', 'bob', 'cid'].map((nick) => ({ nick, namespace: topology.site(nick).hosts[0]!.namespace }));
    members = await joinAll(topology.lab, players, {
      room: 'six',
      password: 'warm-otter-beacon-42',
      servers: [server.url],
    });
    const [ann, bob, cid] = players.map(({ nick }) => members.get(nick)!);
    await bothOver(ann!, bob!, ['ipv6']);
    expect(ann!.peer('bob')?.path?.remote).toContain(topology.site('bob').hosts[0]!.ipv6);
    await bothOver(ann!, cid!, ['direct']);
    await bothOver(bob!, cid!, ['direct']);
    expect(await ann!.kernelPing(bob!.ipv4, 3)).toBeGreaterThan(0);
  });
});
