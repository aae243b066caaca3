import { afterAll, beforeAll, expect, it } from 'vitest';
import { natKinds } from './nats.ts';
import { describeLab } from './requirements.ts';
import { startTopology, type Topology } from './topology.ts';

describeLab('a lab with a site of every kind', () => {
  let topology: Topology;
  beforeAll(async () => {
    topology = await startTopology({
      sites: natKinds.map((nat) => ({ nat, hosts: nat === 'full-cone' ? 2 : 1, ipv6: 'firewalled' })),
      delays: { serverMs: 5, clientMs: 10 },
    });
  });
  afterAll(() => topology?.close());

  it.for(natKinds)('%s reaches the server over IPv4, IPv6 and TCP', async (kind) => {
    const { lab, server } = topology;
    const host = topology.site(kind).hosts[0];
    if (host === undefined) throw new Error('the site has no host');
    for (const address of [server.ipv4, server.alternateIpv4, server.ipv6]) {
      const ping = await lab.run(host.namespace, ['ping', '-n', '-c', '8', '-i', '0.05', '-W', '2', address]);
      expect(ping.stdout).toContain('8 received');
      const times = [...ping.stdout.matchAll(/time=([\d.]+)/g)].map((match) => Number(match[1]));
      // Two crossings of 15 ms each; the upper bound only catches delays that are counted twice.
      expect(Math.min(...times)).toBeGreaterThanOrEqual(30);
      expect(Math.min(...times)).toBeLessThan(58);
    }
  });

  it('has no route out of the lab', async () => {
    const { lab, server, hosts } = topology;
    for (const namespace of [server.namespace, ...hosts.map((host) => host.namespace)]) {
      const links = await lab.run(namespace, ['ip', '-o', 'link']);
      const names = links.stdout.split('\n').flatMap((line) => /^\d+: ([\w-]+)/.exec(line)?.[1] ?? []);
      expect(names.filter((name) => !['lo', 'wan', 'eth0'].includes(name))).toEqual([]);
    }
  });

  it('joins the hosts of one site on a LAN', async () => {
    const [first, second] = topology.site('full-cone').hosts;
    const ping = await topology.lab.run(first!.namespace, ['ping', '-n', '-c', '1', '-W', '2', second!.ipv4]);
    expect(Number(/time=([\d.]+)/.exec(ping.stdout)?.[1])).toBeLessThan(10);
  });
});
