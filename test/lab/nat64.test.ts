/** A member whose network has IPv6 only, and tayga's NAT64 for everything else. */
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { Member, RendezvousServer, warren } from './cli.ts';
import { Nat64Network } from './nat64.ts';
import { labSourceDirectory } from './paths.ts';
import { describeLab } from './requirements.ts';
import { bothOver } from './room.ts';
import { startTopology, type Topology } from './topology.ts';

/** For 198.51.100.10. */
const CERTIFICATE = join(labSourceDirectory, 'tls/cert.pem');
const KEY = join(labSourceDirectory, 'tls/key.pem');
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

  it('holds a server that is named by an IPv4 address to the certificate of that address', async () => {
    topology = await startTopology({ sites: [{ name: 'six', nat: 'kernel-masquerade', ipv6: 'firewalled' }] });
    const { lab } = topology;
    const { namespace } = topology.site('six').hosts[0]!;
    network = await Nat64Network.start(lab, topology.site('six'));
    const tls = { alternateIp: false, extra: ['--tls-cert', CERTIFICATE, '--tls-key', KEY] };
    const { ipv4, alternateIpv4 } = topology.server;
    server = await RendezvousServer.start(lab, topology.server, tls);
    const imposter = await RendezvousServer.start(
      lab,
      { ...topology.server, ipv4: alternateIpv4 },
      { ...tls, stunPort: 3_500 },
    );
    const urls = [ipv4, alternateIpv4].map((ip) => `wss://${ip}:7868`);
    const named = urls.flatMap((url) => ['--server', url]);
    const { stdout, stderr } = await warren(lab, namespace, ['netcheck', '--json', '--ca-file', CERTIFICATE, ...named]);
    const { servers } = JSON.parse(stdout || '{}') as { servers?: unknown };
    expect(servers, stderr).toEqual([
      { url: urls[0], rttMs: expect.any(Number), error: null },
      { url: urls[1], rttMs: null, error: 'tls' },
    ]);
    await imposter.stop();
  });
});
