/** A gateway that lies about everything costs the member nothing but the mapping. */
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { until } from '../until.ts';
import { Member, RendezvousServer } from './cli.ts';
import { labSourceDirectory } from './paths.ts';
import { describeLab } from './requirements.ts';
import { bothOver } from './room.ts';
import { startTopology, type Topology } from './topology.ts';

const room = { room: 'wolves', password: 'warm-otter-beacon-42' };
/** Longer than all repetitions of an unanswered request. */
const REFUSED_WITHIN_MS = 60_000;

describeLab('a hostile gateway', () => {
  let topology: Topology;
  let server: RendezvousServer;

  afterEach(async () => {
    await server?.stop();
    await topology?.close();
  });

  it('on IPv6 gets no pinhole believed, no request sent elsewhere, and no member lost', async () => {
    topology = await startTopology({
      sites: [
        { name: 'home', nat: 'kernel-fully-random', hosts: 2, ipv6: 'firewalled' },
        { name: 'friend', nat: 'kernel-fully-random', ipv6: 'firewalled' },
      ],
    });
    const { lab } = topology;
    server = await RendezvousServer.start(lab, topology.server);
    const home = topology.site('home');
    const [victim, elsewhere] = home.hosts;
    const script = join(labSourceDirectory, 'hostile-gateway.mjs');
    const other = elsewhere!.ipv6!;
    const gateway = lab.spawn(home.gateway!, [process.execPath, script, 'fe80::1%br-lan', other]);
    const innocent = lab.spawn(elsewhere!.namespace, [process.execPath, script, other, 'fe80::1']);
    await until('both listen', () => gateway.output.includes('"ready"') && innocent.output.includes('"ready"'));

    const servers = [server.url];
    const member = await Member.start(lab, victim!.namespace, { ...room, nick: 'victim', servers, create: true });
    await until(
      'it was asked over PCP and HTTP',
      () => /pcp-map/.test(gateway.output) && /redirect/.test(gateway.output),
    );
    await member.waitFor(
      'a pinhole that failed',
      ({ self }) => self?.nat.portMapping.pinhole?.state === 'failed',
      REFUSED_WITHIN_MS,
    );
    expect(innocent.output).toBe('{"what":"ready"}\n');
    const namespace = topology.site('friend').hosts[0]!.namespace;
    const friend = await Member.start(lab, namespace, { ...room, nick: 'friend', servers });
    await bothOver(member, friend, ['ipv6']);
    await Promise.all([friend.stop(), member.stop()]);
  });

  it('gets no mapping believed, no request sent elsewhere, and the room goes on', async () => {
    topology = await startTopology({
      sites: [
        { name: 'home', nat: 'kernel-masquerade', hosts: 2 },
        { name: 'friend', nat: 'public' },
      ],
    });
    const { lab } = topology;
    server = await RendezvousServer.start(lab, topology.server);
    const home = topology.site('home');
    const [victim, elsewhere] = home.hosts;
    const script = join(labSourceDirectory, 'hostile-gateway.mjs');
    const gatewayIp = '192.168.1.1';
    const gateway = lab.spawn(home.gateway!, [process.execPath, script, gatewayIp, elsewhere!.ipv4]);
    const innocent = lab.spawn(elsewhere!.namespace, [process.execPath, script, elsewhere!.ipv4, gatewayIp]);
    await until('both listen', () => gateway.output.includes('"ready"') && innocent.output.includes('"ready"'));

    const servers = [server.url];
    const member = await Member.start(lab, victim!.namespace, { ...room, nick: 'victim', servers, create: true });
    await member.joined();
    await member.waitFor(
      'a mapping that failed',
      ({ self }) => self?.nat.portMapping.state === 'failed',
      REFUSED_WITHIN_MS,
    );
    expect(gateway.output).toContain('"nat-pmp"');
    expect(gateway.output).toContain('"pcp-map"');
    expect(gateway.output).toContain('"/redirect.xml"');
    // The host that every other document was said to be on is asked nothing.
    expect(innocent.output).toBe('{"what":"ready"}\n');

    const other = topology.site('friend').hosts[0]!.namespace;
    const friend = await Member.start(lab, other, { ...room, nick: 'friend', servers });
    await bothOver(member, friend, ['direct']);
    expect(await friend.stop()).toBe(0);
    expect(await member.stop()).toBe(0);
  });
});
