/** A member whose network has IPv6 only, and tayga's NAT64 for everything else. */
import { afterEach, expect, it } from 'vitest';
import { Member, RendezvousServer, warren } from './cli.ts';
import { Nat64Network } from './nat64.ts';
import { describeLab } from './requirements.ts';
import { bothOver } from './room.ts';
import { startTopology, type Topology } from './topology.ts';

const room = { room: 'translated', password: 'warm-otter-beacon-42' };

describeLab('an IPv6-only member behind a NAT64', () => {
  let topology: Topology;
  let server: RendezvousServer;
  let network: Nat64Network;

  afterEach(async () => {
    await server?.stop();
    await network?.stop();
    await topology?.close();
  });

  it('is in the room by an IPv4 server, and direct with a port-restricted IPv4 member', async () => {
    topology = await startTopology({
      sites: [
        { name: 'six', nat: 'kernel-masquerade', ipv6: 'firewalled' },
        { name: 'four', nat: 'port-restricted' },
      ],
    });
    const { lab } = topology;
    const [six, four] = ['six', 'four'].map((name) => topology.site(name).hosts[0]!);
    network = await Nat64Network.start(lab, topology.site('six'));
    server = await RendezvousServer.start(lab, topology.server);
    const servers = [server.url];

    const checked = await warren(lab, six!.namespace, ['netcheck', '--json', '--server', server.url]);
    const { nat } = JSON.parse(checked.stdout || '{}') as { nat?: unknown };
    const public4 = topology.site('six').external;
    expect(nat, checked.stderr).toMatchObject({ nat64: true, publicAddresses: [public4] });
    expect(network.asked).toContain('ipv4only.arpa 28');
    const card = await warren(lab, six!.namespace, ['netcheck', '--server', server.url]);
    expect(card.stdout).toMatch(/IPv6 only.*NAT64/);

    const there = await Member.start(lab, four!.namespace, { ...room, nick: 'four', servers, create: true });
    const here = await Member.start(lab, six!.namespace, { ...room, nick: 'six', servers });
    await bothOver(here, there, ['direct']);
    expect(there.peer('six')?.path?.remote).toContain(public4);
    expect(here.peer('four')?.path?.remote).toContain(topology.site('four').external);
    expect(await here.kernelPing(there.ipv4, 3)).toBeGreaterThan(0);
    await Promise.all([here.stop(), there.stop()]);
  });
});
