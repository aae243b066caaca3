/** Hard pairs through the command line, each in a room of its own: the punch itself, with the real device and real NATs. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Snapshot } from '../../protocol/app.ts';
import { type Member, RendezvousServer } from './cli.ts';
import { labSourceDirectory } from './paths.ts';
import { describeLab } from './requirements.ts';
import { bothOver, joinAll } from './room.ts';
import { startTopology, type Topology } from './topology.ts';

/** Mappings by destination, drawn from all ports, and a filter that looks at less. */
const byDestination = {
  mapping: 'address-and-port-dependent',
  ports: { kind: 'random', low: 1024, high: 65535 },
} as const;
const open = { ...byDestination, filtering: 'endpoint-independent' } as const;
const restricted = { ...byDestination, filtering: 'address-dependent' } as const;

const sites = [
  { name: 'port-restricted', nat: 'port-restricted' },
  { name: 'kernel-masquerade', nat: { kernel: 'masquerade', input: 'drop' } },
  { name: 'symmetric-random', nat: 'symmetric-random' },
  { name: 'symmetric-block', nat: 'symmetric-block' },
  { name: 'symmetric-sequential', nat: 'symmetric-sequential' },
  { name: 'symmetric-sequential-2', nat: 'symmetric-sequential' },
  { name: 'symmetric-open', nat: open },
  { name: 'symmetric-open-2', nat: open },
  { name: 'symmetric-restricted', nat: restricted },
  { name: 'kernel-fully-random', nat: 'kernel-fully-random' },
] as const;

type Site = (typeof sites)[number]['name'];

const pairs: [Site, Site][] = [
  ['port-restricted', 'symmetric-random'],
  ['port-restricted', 'symmetric-block'],
  ['port-restricted', 'symmetric-sequential'],
  ['kernel-masquerade', 'kernel-fully-random'],
  ['kernel-masquerade', 'symmetric-sequential'],
  ['symmetric-sequential', 'symmetric-sequential-2'],
  ['symmetric-open', 'symmetric-open-2'],
  ['symmetric-open', 'symmetric-restricted'],
];

/** One attempt of 20 s, its back-off, and another; a budget's two minutes are not waited for. */
const PUNCH_MS = 60_000;

describeLab('a hard pair', () => {
  let topology: Topology;
  let server: RendezvousServer;

  beforeAll(async () => {
    topology = await startTopology({ sites });
    server = await RendezvousServer.start(topology.lab, topology.server);
  }, 120_000);

  afterAll(async () => {
    await server?.stop();
    await topology?.close();
  });

  async function play([a, b]: [Site, Site], extra: string[], look: (a: Member, b: Member) => Promise<void>) {
    const players = [a, b].map((name) => ({
      nick: name,
      namespace: topology.site(name).hosts[0]!.namespace,
      extra,
    }));
    const room = { room: `${a} x ${b} ${extra.join(' ')}`, password: 'warm-otter-beacon-42', servers: [server.url] };
    const members = await joinAll(topology.lab, players, room);
    try {
      const [first, second] = [...members.values()] as [Member, Member];
      await look(first, second);
    } finally {
      await Promise.all([...members.values()].map((member) => member.stop()));
    }
  }

  it.for(pairs)('%s x %s becomes direct, and carries', async (pair) => {
    await play(pair, [], async (a, b) => {
      await bothOver(a, b, ['direct'], PUNCH_MS);
      expect(await a.kernelPing(b.ipv4, 3)).toBeGreaterThan(0);
    });
  });

  it('becomes direct although rubbish arrives at every socket all the time', async () => {
    const pair: [Site, Site] = ['port-restricted', 'symmetric-random'];
    const flood = [process.execPath, join(labSourceDirectory, 'flood.mjs')];
    const floods = pair.map((name) => topology.lab.spawn(topology.site(name).hosts[0]!.namespace, flood));
    const end = () => Promise.all(floods.map((one) => one.stop()));
    try {
      await play(pair, [], async (a, b) => {
        await bothOver(a, b, ['direct'], PUNCH_MS);
        expect(await a.kernelPing(b.ipv4, 3)).toBeGreaterThan(0);
        await end();
        expect(a.peer(b.nick)?.path?.kind).toBe('direct');
      });
    } finally {
      await end();
    }
    const [, hard] = floods.map(({ output }) => JSON.parse(output) as { sent: number; sockets: number });
    // Those of the punch, and not the main one alone.
    expect(hard?.sockets).toBeGreaterThan(30);
  });

  it('stays on the relay with punching switched off, and says why', async () => {
    await play(['port-restricted', 'symmetric-random'], ['--no-hard-nat'], async (a, b) => {
      await bothOver(a, b, ['relay'], PUNCH_MS);
      const reasonOf = ({ peers }: Snapshot) => peers[0]?.reason;
      await b.waitFor('hard-nat-off', (snapshot) => reasonOf(snapshot) === 'hard-nat-off', PUNCH_MS);
    });
  });
});
