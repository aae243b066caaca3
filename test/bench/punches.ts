/**
 * The table of `npm run bench:nat lab`: pairs of NATs through the command line, with one-way delays of 5 ms at the server and
 * 10 ms at each client. Both members are fresh in every run, so that nobody's budget is spent; time runs from the second
 * engine's start. Pings and mappings are counted at the hosts and routers.
 */
import { Member, RendezvousServer } from '../lab/cli.ts';
import { type NatKind, routerNats } from '../lab/nats.ts';
import type { Namespace } from '../lab/netns.ts';
import type { NatConfig } from '../lab/router.ts';
import { type Site, startTopology, type Topology } from '../lab/topology.ts';
import { goalOf, isProfile, theoryOf } from '../sim/bench/goals.ts';
import { type MeasuredPair, type MeasuredRun, natTable } from '../sim/bench/table.ts';
import { isDirect, started } from './connect.ts';

/** The accesses of the lab, by the simulator's names where it has them. */
const NATS = {
  public: 'public',
  'full-cone': 'full-cone',
  'address-restricted': 'address-restricted',
  'port-restricted': 'port-restricted',
  netfilter: { kernel: 'masquerade', input: 'drop' },
  /** Behind CARRIER. */
  cgnat: 'port-restricted',
  'symmetric-random': 'symmetric-random',
  'fully-random netfilter': { kernel: 'fully-random' },
  'symmetric-open': { ...routerNats['symmetric-random'], filtering: 'endpoint-independent' },
  'symmetric-open-flows': { ...routerNats['symmetric-random'], filtering: 'endpoint-independent', flows: true },
  'symmetric-restricted': { ...routerNats['symmetric-random'], filtering: 'address-dependent' },
  'symmetric-restricted-flows': { ...routerNats['symmetric-random'], filtering: 'address-dependent', flows: true },
  'symmetric-block': 'symmetric-block',
  'symmetric-sequential': 'symmetric-sequential',
  'symmetric-down': {
    ...routerNats['symmetric-sequential'],
    ports: { kind: 'sequential', step: -2, foreignPerSecond: 20 },
  },
} as const satisfies Record<string, NatKind | NatConfig | { kernel: string; input?: string }>;

type Access = keyof typeof NATS;

const CARRIER = { ...routerNats['port-restricted'], ports: { kind: 'block', size: 512 } } as const;

const PAIRS: readonly (readonly [Access, Access])[] = [
  ['public', 'port-restricted'],
  ['full-cone', 'full-cone'],
  ['address-restricted', 'port-restricted'],
  ['port-restricted', 'port-restricted'],
  ['netfilter', 'port-restricted'],
  ['cgnat', 'port-restricted'],
  ['full-cone', 'symmetric-random'],
  ['address-restricted', 'symmetric-block'],
  ['public', 'symmetric-sequential'],
  ['port-restricted', 'symmetric-random'],
  ['netfilter', 'symmetric-random'],
  ['cgnat', 'symmetric-random'],
  ['netfilter', 'fully-random netfilter'],
  ['port-restricted', 'fully-random netfilter'],
  ['port-restricted', 'symmetric-open'],
  ['port-restricted', 'symmetric-open-flows'],
  ['port-restricted', 'symmetric-restricted'],
  ['port-restricted', 'symmetric-restricted-flows'],
  ['port-restricted', 'symmetric-block'],
  ['netfilter', 'symmetric-block'],
  ['cgnat', 'symmetric-block'],
  ['port-restricted', 'symmetric-sequential'],
  ['netfilter', 'symmetric-sequential'],
  ['cgnat', 'symmetric-sequential'],
  ['port-restricted', 'symmetric-down'],
  ['symmetric-sequential', 'symmetric-sequential'],
  ['symmetric-sequential', 'symmetric-down'],
  ['symmetric-down', 'symmetric-down'],
  ['symmetric-sequential', 'symmetric-block'],
  ['symmetric-open-flows', 'symmetric-random'],
  ['symmetric-open-flows', 'symmetric-block'],
  ['symmetric-restricted-flows', 'symmetric-random'],
];

/** For a member to start, on a machine that has other things to do. */
const START_MS = 120_000;
/** For what it learns of its NAT; one whose requests were lost looks again when somebody comes. */
const MEASURE_MS = 20_000;
/** An attempt, its back-off, and another. */
const LIMIT_MS = 60_000;
/** Where chance decides and the budget gives one attempt in two minutes: that one. */
const ONE_ATTEMPT_MS = 20_000;

/** `only`: names of pairs; default all. Each row is told on the standard error stream too, as soon as it is known. */
export async function benchPunches(runs: number, only?: readonly string[]): Promise<string> {
  const rows: MeasuredPair[] = [];
  for (const pair of PAIRS) {
    if (only !== undefined && !only.includes(pair.join(' x '))) continue;
    const row = await measurePair(pair, runs);
    rows.push(row);
    console.error(natTable([row]));
  }
  return natTable(rows);
}

async function measurePair(pair: readonly [Access, Access], runs: number): Promise<MeasuredPair> {
  const topology = await startTopology({
    carriers: [{ name: 'carrier', nat: CARRIER }],
    sites: pair.map((access, i) => ({
      name: `site${i}`,
      nat: NATS[access],
      ...(access === 'cgnat' ? { carrier: 'carrier' } : {}),
    })),
    delays: { serverMs: 5, clientMs: 10 },
  });
  const profiles = [profileOf(pair[0]), profileOf(pair[1])] as const;
  const goal = goalOf(profiles);
  try {
    const server = await RendezvousServer.start(topology.lab, topology.server);
    const samples: MeasuredRun[] = [];
    for (let run = 0; run < runs; run++) {
      samples.push(await measureRun(topology, { url: server.url, run, limitMs: goal ? LIMIT_MS : ONE_ATTEMPT_MS }));
    }
    return { pair, samples, goal, theory: theoryOf(profiles) };
  } finally {
    await topology.close();
  }
}

function profileOf(access: Access) {
  return isProfile(access) ? access : 'symmetric-random';
}

async function measureRun(
  topology: Topology,
  { url, run, limitMs }: { url: string; run: number; limitMs: number },
): Promise<MeasuredRun> {
  const { lab } = topology;
  const sites = topology.sites as readonly [Site, Site];
  const [here, there] = sites.map(({ hosts }) => hosts[0]!.namespace) as [Namespace, Namespace];
  const room = { room: `punch ${run}`, password: 'warm-otter-beacon-42', servers: [url] };
  await forget(topology);
  await Promise.all(sites.map((site) => countFrom(topology, site)));
  const before = await mappingsOf(topology);
  const stays = await Member.start(lab, here, { nick: 'stays', create: true, ...room });
  await stays.joined(START_MS);
  await stays.waitFor('its NAT', ({ self }) => self?.nat.type !== 'unknown', MEASURE_MS).catch(() => null);
  const comes = await Member.start(lab, there, { nick: 'comes', ...room });
  const engineAt = await started(comes);
  const directAt = await comes.waitFor('direct', isDirect, limitMs).then(
    (snapshot) => snapshot.peers[0]?.path?.since ?? Date.now(),
    () => null,
  );
  const after = await mappingsOf(topology);
  const pings = await Promise.all([here, there].map((host) => pingsFrom(topology, host)));
  await Promise.all([stays.stop(), comes.stop()]);
  const [a = null, b = null] = after.map((count, i) => (count === null ? null : count - (before[i] ?? 0)));
  return {
    directMs: directAt === null ? null : directAt - engineAt,
    probes: Math.max(...pings),
    mappings: [a, b],
  };
}

/** What former runs left in the lab's routers: seventeen of them would fill a block of 512 ports. */
async function forget({ router }: Topology): Promise<void> {
  const nodes = Object.entries(await router.stats());
  await Promise.all(nodes.flatMap(([name, { nat }]) => (nat ? [router.flush(name)] : [])));
}

/** Counts pings at the host (0xD7 and 1 at the head of a datagram), and what a kernel NAT's new connections take. */
async function countFrom({ lab }: Topology, site: Site): Promise<void> {
  const scripts = site.hosts.map(({ namespace }) =>
    countingTable(namespace, 'hook output priority 0', 'udp length > 8 @th,64,16 0xd701 counter'),
  );
  if (site.gateway !== null) {
    const taken = 'iifname "br-lan" meta l4proto udp ct state new add @taken';
    // Masquerade keeps a socket's port; a fully random one is a mapping for each destination.
    const what = isRandomKernel(site) ? 'ip daddr . udp dport' : '0.0.0.0 . 0';
    const rule = `${taken} { ip saddr . udp sport . ${what} }`;
    scripts.push(countingTable(site.gateway, 'hook forward priority 10', rule));
  }
  await lab.script(scripts.join('\n'));
}

function isRandomKernel({ spec: { nat } }: Site): boolean {
  return typeof nat === 'object' && 'kernel' in nat && nat.kernel === 'fully-random';
}

/** A table with one rule, made anew. */
function countingTable({ name }: Namespace, hook: string, rule: string): string {
  return `
ip netns exec ${name} nft -f - <<'RULES'
table inet bench {}
delete table inet bench
table inet bench {
  set taken {
    type ipv4_addr . inet_service . ipv4_addr . inet_service
    flags dynamic
    size 65535
  }
  chain count {
    type filter ${hook};
    ${rule}
  }
}
RULES`;
}

async function pingsFrom({ lab }: Topology, host: Namespace): Promise<number> {
  const { stdout } = await lab.run(host, ['nft', 'list', 'table', 'inet', 'bench']);
  return Number(/packets (\d+)/.exec(stdout)?.[1] ?? Number.NaN);
}

async function connectionsOf({ lab }: Topology, gateway: Namespace): Promise<number> {
  const { stdout } = await lab.run(gateway, ['nft', '--json', 'list', 'set', 'inet', 'bench', 'taken']);
  const { nftables } = JSON.parse(stdout) as { nftables: { set?: { elem?: unknown[] } }[] };
  return nftables.find(({ set }) => set !== undefined)?.set?.elem?.length ?? 0;
}

/** So far at each site's router; the lab's own counts TCP's one or two as well. */
async function mappingsOf(topology: Topology): Promise<(number | null)[]> {
  const stats = await topology.router.stats();
  return Promise.all(
    topology.sites.map(async (site) => {
      const created = stats[site.name]?.nat?.mappingsCreated;
      if (created !== undefined) return created;
      return site.gateway === null ? null : connectionsOf(topology, site.gateway);
    }),
  );
}
