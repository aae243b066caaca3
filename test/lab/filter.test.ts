/** Who reaches what through the tunnel, seen from outside: nmap in a member's namespace. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../until.ts';
import { Member, RendezvousServer, warren } from './cli.ts';
import type { Namespace } from './netns.ts';
import { describeLab } from './requirements.ts';
import { bothOver } from './room.ts';
import { startTopology, type Topology } from './topology.ts';

const CONNECTED = ['relay', 'direct', 'ipv6', 'lan'];
const PORTS = [22, 445, 27_015];
/** Ports of UDP that answer everything. */
const ECHOES = [137, 27_015];

/** Listens like the programs that a LAN game, SSH and Windows sharing are. */
const SERVICES = `
  const { createServer } = require('node:net');
  const { createSocket } = require('node:dgram');
  for (const port of ${JSON.stringify(PORTS)}) createServer((socket) => socket.on('error', () => {}).end('hello')).listen(port, '::');
  for (const port of ${JSON.stringify(ECHOES)}) {
    const socket = createSocket('udp6').bind(port, '::');
    socket.on('message', (bytes, from) => socket.send(bytes.length ? bytes : 'hello', from.port, from.address));
  }
  console.log('ready');
`;

type Scan = Record<number, string>;

describeLab('the member filter, from outside', () => {
  let topology: Topology;
  let ann: Member;
  let bob: Member;
  let server: RendezvousServer;
  let folder: string;
  const room = { room: 'filtered', password: 'warm-otter-beacon-42' };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'warren-filter-'));
    topology = await startTopology({
      sites: [
        { name: 'ann', nat: 'public' },
        { name: 'bob', nat: 'full-cone' },
      ],
    });
    const [annHost, bobHost] = ['ann', 'bob'].map((site) => topology.site(site).hosts[0]!.namespace) as [
      Namespace,
      Namespace,
    ];
    server = await RendezvousServer.start(topology.lab, topology.server);
    for (const host of [annHost, bobHost]) {
      const services = topology.lab.spawn(host, [process.execPath, '-e', SERVICES]);
      await until('the services', () => services.output.includes('ready'), 20_000);
    }
    ann = await joinAnn(annHost, ['--create']);
    bob = await Member.start(topology.lab, bobHost, { nick: 'bob', ...room, servers: [server.url] });
    await bob.joined(60_000);
    await bothOver(ann, bob, CONNECTED);
  });
  /** With a state of its own that outlives her. */
  async function joinAnn(namespace: Namespace, extra: string[]): Promise<Member> {
    const stateDir = join(folder, 'ann');
    const member = await Member.start(topology.lab, namespace, {
      nick: 'ann',
      ...room,
      servers: [server.url],
      stateDir,
      extra,
    });
    await member.joined(60_000);
    return member;
  }
  afterAll(async () => {
    await Promise.all([ann?.stop(), bob?.stop()]);
    await topology?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** State of each port as nmap names it. */
  async function scan(from: Member, to: string, kind: 'tcp' | 'udp' = 'tcp'): Promise<Scan> {
    const [how, ports] = kind === 'tcp' ? ['-sT', PORTS] : ['-sU', ECHOES];
    const six = to.includes(':') ? ['-6'] : [];
    const options = ['-Pn', '-n', '-oG', '-', '--max-retries', '2', '--host-timeout', '60s'];
    const argv = ['nmap', how, ...six, ...options, '-p', ports.join(','), to];
    const { stdout } = await topology.lab.run(from.namespace, argv, { timeoutMs: 90_000 });
    return Object.fromEntries([...stdout.matchAll(/(\d+)\/([a-z|]+)\/(?:tcp|udp)/g)].map((one) => [one[1], one[2]]));
  }

  async function preset(name: string): Promise<void> {
    const { code } = await warren(topology.lab, ann.namespace, ['set', 'filter', name, '--state-dir', ann.stateDir]);
    expect(code).toBe(0);
    await ann.waitFor(`the preset ${name}`, ({ filter }) => filter?.preset === name);
  }

  const ALL_OPEN = { 22: 'open', 445: 'open', 27015: 'open' };
  const NONE = { 22: 'filtered', 445: 'filtered', 27015: 'filtered' };
  const GAMES = { ...NONE, 27015: 'open' };

  it('games: the game answers, SSH and shares do not, over both families', async () => {
    expect(await scan(bob, ann.ipv4)).toEqual(GAMES);
    expect(await scan(bob, ann.snapshot!.self!.ipv6!)).toEqual(GAMES);
    expect(await scan(bob, ann.ipv4, 'udp')).toEqual({ 137: 'open|filtered', 27015: 'open' });
    await ann.waitFor('what was kept out', ({ peers }) => (peers[0]?.access?.filtered ?? 0) > 0);
  });

  it('closed: only answers come in', async () => {
    await preset('closed');
    expect(await scan(bob, ann.ipv4)).toEqual(NONE);
    expect(await scan(bob, ann.ipv4, 'udp')).toEqual({ 137: 'open|filtered', 27015: 'open|filtered' });
    expect(await scan(ann, bob.ipv4)).toEqual(GAMES);
    expect(await scan(ann, bob.ipv4, 'udp')).toEqual({ 137: 'open|filtered', 27015: 'open' });
  });

  it('open: everything answers', async () => {
    await preset('open');
    expect(await scan(bob, ann.ipv4)).toEqual(ALL_OPEN);
    expect(await scan(bob, ann.ipv4, 'udp')).toEqual({ 137: 'open', 27015: 'open' });
    expect(await scan(ann, bob.ipv4)).toEqual(GAMES);
  });

  it('block: nothing passes, either way, until it is taken back', async () => {
    await warren(topology.lab, ann.namespace, ['block', 'bob', '--state-dir', ann.stateDir]);
    await ann.waitFor('bob blocked', ({ peers }) => peers[0]?.blocked === true);
    expect(await scan(bob, ann.ipv4)).not.toMatchObject({ 27015: 'open' });
    expect(await scan(ann, bob.ipv4)).not.toMatchObject({ 27015: 'open' });
    await warren(topology.lab, ann.namespace, ['unblock', 'bob', '--state-dir', ann.stateDir]);
    await bothOver(ann, bob, CONNECTED, 60_000);
    expect(await scan(bob, ann.ipv4)).toEqual(ALL_OPEN);
  });

  it('a policy file decides who reaches what, and is followed when it changes', async () => {
    const file = join(folder, 'policy.jsonc');
    const write = (to: string) =>
      writeFile(file, `{ "rules": [{ "action": "accept", "from": ["bob"], "to": ["${to}"] }] } // ours`);
    await write('tcp:27015');
    const { namespace } = ann;
    const check = await warren(topology.lab, namespace, ['policy', 'check', file]);
    expect(check).toMatchObject({ code: 0, stdout: expect.stringContaining('1 rules, 0 tests passed') });
    await ann.stop();
    ann = await joinAnn(namespace, ['--policy-file', file]);
    await bothOver(ann, bob, CONNECTED, 60_000);
    expect(await scan(bob, ann.ipv4)).toEqual(GAMES);
    await write('tcp:22');
    await expect.poll(async () => await scan(bob, ann.ipv4), { timeout: 30_000 }).toEqual({ ...NONE, 22: 'open' });
    await writeFile(file, '{ "rules": [}');
    await ann.waitFor('the broken file', ({ filter }) => filter?.policy?.problem?.line === 1);
    expect(await scan(bob, ann.ipv4)).toEqual({ ...NONE, 22: 'open' });
  });
});
