/**
 * Every pair of NATs, through the command line: one room that everybody joins, and one look at how each reached each other.
 *
 * Easy pairs end direct, everything else is connected at least over the relay. A punch that guesses among all ports shares its
 * budget with fifteen members here and may still be waiting: punch.test.ts gives each of those pairs a room of its own.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PathKind } from '../../protocol/app.ts';
import { type Member, RendezvousServer } from './cli.ts';
import { describeLab } from './requirements.ts';
import { bothOver, joinAll } from './room.ts';
import { type SiteSpec, type Topology, startTopology } from './topology.ts';

interface Player {
  /** Nickname and site; a site with several hosts has several players. */
  readonly nick: string;
  readonly site: SiteSpec & { readonly name: string };
  readonly host: number;
}

const sites: readonly (SiteSpec & { readonly name: string })[] = [
  { name: 'public', nat: 'public' },
  { name: 'public-2', nat: 'public' },
  { name: 'full-cone', nat: 'full-cone' },
  { name: 'full-cone-2', nat: 'full-cone' },
  { name: 'address-restricted', nat: 'address-restricted' },
  { name: 'address-restricted-2', nat: 'address-restricted' },
  { name: 'port-restricted', nat: 'port-restricted', hosts: 2 },
  // The same LAN addresses as the site above: a LAN candidate of one must not be taken for the other's.
  { name: 'port-restricted-2', nat: 'port-restricted', lan: '192.168.7' },
  { name: 'kernel-masquerade', nat: { kernel: 'masquerade', input: 'drop' } },
  { name: 'symmetric-random', nat: 'symmetric-random', ipv6: 'firewalled' },
  { name: 'symmetric-random-2', nat: 'symmetric-random', ipv6: 'firewalled' },
  { name: 'symmetric-sequential', nat: 'symmetric-sequential' },
  { name: 'kernel-fully-random', nat: 'kernel-fully-random' },
  { name: 'udp-blocked', nat: 'udp-blocked' },
  { name: 'udp-blocked-2', nat: 'udp-blocked' },
];

const players: readonly Player[] = sites.flatMap((site) =>
  Array.from({ length: site.hosts ?? 1 }, (_, host) => ({
    nick: host === 0 ? site.name : `${site.name}-h${host + 1}`,
    site,
    host,
  })),
);

const pairs = players.flatMap((a, index) =>
  players.slice(index + 1).map((b) => [`${a.nick} x ${b.nick}`, a, b] as const),
);

const isSymmetric = ({ site }: Player): boolean => /symmetric|fully-random/.test(site.name);
const isBlocked = ({ site }: Player): boolean => site.name.startsWith('udp-blocked');
/** How a pair may end. Where a guess has to come true in time, either will do. */
function expectedPaths(a: Player, b: Player): PathKind[] {
  if (a.site === b.site) return ['lan'];
  if (a.site.ipv6 && b.site.ipv6) return ['ipv6'];
  if (isBlocked(a) || isBlocked(b)) return ['relay'];
  if (!isSymmetric(a) && !isSymmetric(b)) return ['direct'];
  return isSymmetric(a) && isSymmetric(b) ? ['relay'] : ['direct', 'relay'];
}

describeLab('a room with every NAT in it', () => {
  let topology: Topology;
  let server: RendezvousServer;
  let members = new Map<string, Member>();
  const memberOf = (player: Player): Member => members.get(player.nick) as Member;

  beforeAll(async () => {
    topology = await startTopology({ sites });
    server = await RendezvousServer.start(topology.lab, topology.server);
    members = await joinAll(
      topology.lab,
      players.map(({ nick, site, host }) => ({ nick, namespace: topology.site(site.name).hosts[host]!.namespace })),
      { room: 'all pairs', password: 'warm-otter-beacon-42', servers: [server.url] },
    );
  }, 300_000);

  afterAll(async () => {
    await Promise.all([...members.values()].map((member) => member.stop()));
    await server?.stop();
    await topology?.close();
  });

  describe('ends on the right path', () => {
    it.for(pairs)('%s', async ([, a, b]) => {
      await bothOver(memberOf(a), memberOf(b), expectedPaths(a, b));
    });
  });

  describe('carries the kernel’s ping', () => {
    it.for(pairs)('%s', async ([, a, b]) => {
      // That it carries, not that sixteen members on one busy machine lose nothing: faults.test.ts counts packets.
      const answered = await memberOf(a).kernelPing(memberOf(b).ipv4, 3);
      expect(answered, `${memberOf(a).story}\n${memberOf(b).story}`).toBeGreaterThan(0);
    });
  });

  it('still has every pair where it was, and a reason for every relay', () => {
    for (const [name, a, b] of pairs) {
      const peer = memberOf(a).peer(b.nick);
      expect(expectedPaths(a, b), name).toContain(peer?.path?.kind);
      if (peer?.path?.kind === 'relay') expect(peer.reason, name).not.toBeNull();
    }
  });
});
