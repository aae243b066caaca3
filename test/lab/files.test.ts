/** Files between members through the tunnel, with the engines killed in the middle. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { FileTransfer } from '../../protocol/files.ts';
import { Member, RendezvousServer, warren } from './cli.ts';
import { describeLab } from './requirements.ts';
import { bothOver } from './room.ts';
import { startTopology, type Topology } from './topology.ts';

const SIZE = 48 * 1024 * 1024;
/** Slow enough to be killed in the middle. */
const RATE = '60mbit';
const CONNECTED = ['relay', 'direct', 'ipv6', 'lan'];

describeLab('files between members', () => {
  let topology: Topology;
  let server: RendezvousServer;
  let folder: string;
  const members: Record<string, Member> = {};

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'warren-files-'));
    topology = await startTopology({
      sites: [
        { name: 'ann', nat: 'public' },
        { name: 'bob', nat: 'full-cone' },
      ],
    });
    server = await RendezvousServer.start(topology.lab, topology.server);
    await enter('ann', ['--create']);
    await enter('bob');
    await bothOver(members.ann!, members.bob!, CONNECTED);
  });
  afterAll(async () => {
    await Promise.all(Object.values(members).map((member) => member.stop()));
    await topology?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const downloads = (nick: string) => join(folder, `${nick}-downloads`);

  /** (Re)starts a member with the state that it had. */
  async function enter(nick: string, extra: string[] = []): Promise<void> {
    const member = await Member.start(topology.lab, topology.site(nick).hosts[0]!.namespace, {
      nick,
      room: 'files',
      password: 'warm-otter-beacon-42',
      servers: [server.url],
      stateDir: join(folder, nick),
      extra: ['--download-dir', downloads(nick), ...extra],
    });
    members[nick] = member;
    await member.joined(60_000);
    if (nick === 'ann') {
      const slow = [
        'tc',
        'qdisc',
        'add',
        'dev',
        'warren0',
        'root',
        'tbf',
        'rate',
        RATE,
        'burst',
        '128k',
        'latency',
        '50ms',
      ];
      expect((await topology.lab.run(member.namespace, slow)).code).toBe(0);
    }
  }

  async function killAndRestart(nick: string): Promise<void> {
    members[nick]!.up.child.kill('SIGKILL');
    await members[nick]!.up.exited;
    await members[nick]!.stop();
    await enter(nick);
  }

  const run = (nick: string, ...words: string[]) =>
    warren(topology.lab, members[nick]!.namespace, [...words, '--state-dir', members[nick]!.stateDir, '--json']);

  function reached(nick: string, id: string, what: string, fits: (file: FileTransfer) => boolean): Promise<unknown> {
    const wanted = ({ files = [] }: { files?: FileTransfer[] | undefined }) =>
      files.some((one) => one.id === id && fits(one));
    return members[nick]!.waitFor(what, wanted, 90_000);
  }

  it('go on after kill -9 of the receiver and of the sender, and arrive whole', { timeout: 300_000 }, async () => {
    const path = join(folder, 'map pack.zip');
    const bytes = Buffer.alloc(SIZE);
    for (let at = 0; at < SIZE; at += 4) bytes.writeUInt32LE((at * 2_654_435_761) % 2 ** 32, at);
    await writeFile(path, bytes);
    await run('ann', 'set', 'filter', 'closed');

    const offer = await run('ann', 'send', 'bob', path);
    expect(offer.code).toBe(0);
    const { id } = JSON.parse(offer.stdout) as { id: string };
    await reached('bob', id, 'the offer', ({ state, direction }) => state === 'offered' && direction === 'in');
    await expect(readdir(downloads('bob'))).rejects.toThrow();
    expect((await run('bob', 'files', 'accept', id.slice(0, 8))).code).toBe(0);

    await reached('bob', id, 'a fifth', ({ done }) => done > SIZE / 5);
    await killAndRestart('bob');
    await reached('bob', id, 'half', ({ done }) => done > SIZE / 2);
    await killAndRestart('ann');
    await Promise.all(['ann', 'bob'].map((nick) => reached(nick, id, 'the end', ({ state }) => state === 'done')));

    const received = await readFile(join(downloads('bob'), 'map pack.zip'));
    const digest = (data: Buffer) => createHash('sha256').update(data).digest('hex');
    expect(digest(received)).toBe(digest(bytes));
    expect(await readdir(downloads('bob'))).toEqual(['map pack.zip']);
  });

  it('that are not wanted are not sent', async () => {
    const path = join(folder, 'chain letter.txt');
    await writeFile(path, 'send this to ten friends');
    const { id } = JSON.parse((await run('ann', 'send', 'bob', path)).stdout) as { id: string };
    await reached('bob', id, 'the offer', ({ state }) => state === 'offered');
    await run('bob', 'files', 'decline', id);
    await reached('ann', id, 'the no', ({ state }) => state === 'declined');
    expect(await readdir(downloads('bob'))).toEqual(['map pack.zip']);
  });
});
