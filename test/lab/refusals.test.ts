/** What is refused, with which code and words, and that nothing is left behind: the command as a player meets it. */
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exitCodes, Member, type MemberOptions, RendezvousServer, warren } from './cli.ts';
import type { Namespace } from './netns.ts';
import { describeLab } from './requirements.ts';
import { bothOver } from './room.ts';
import { startTopology, type Topology } from './topology.ts';

const PASSWORD = 'warm-otter-beacon-42';

describeLab('a room that is joined the wrong way', () => {
  let topology: Topology;
  let server: RendezvousServer;
  let ann: Member;
  const at = (site: string): Namespace => topology.site(site).hosts[0]!.namespace;
  const up = (site: string, options: Partial<MemberOptions> = {}): Promise<Member> =>
    Member.start(topology.lab, at(site), {
      nick: site,
      room: 'the shire',
      password: PASSWORD,
      servers: [server.url],
      ...options,
    });
  /** Every network interface of a site, so that a leftover one shows. */
  const interfaces = async (site: string): Promise<string> =>
    (await topology.lab.run(at(site), ['ip', '-brief', 'link'])).stdout.replaceAll(/^(\S+)\s.*$/gm, '$1').trim();

  beforeAll(async () => {
    topology = await startTopology({
      sites: [
        { name: 'ann', nat: 'port-restricted' },
        { name: 'bob', nat: 'port-restricted' },
      ],
    });
    server = await RendezvousServer.start(topology.lab, topology.server);
    ann = await up('ann', { create: true });
    await ann.joined();
  }, 60_000);
  afterAll(async () => {
    await ann?.stop();
    await topology?.close();
  });

  it('by a wrong password: exit 3, the member inside is told, and no interface stays', async () => {
    const before = await interfaces('bob');
    const bob = await up('bob', { password: 'wrong' });
    expect(await bob.exited).toBe(exitCodes.wrongPassword);
    expect(bob.up.output).toContain('wrong-password');
    await ann.waitFor('a failed guess', ({ notices }) => notices.some(({ code }) => code === 'failed-guess'));
    expect(ann.snapshot?.peers).toEqual([]);
    expect(await interfaces('bob')).toBe(before);
    await bob.stop();
  });

  it('with a name that nobody uses: joined, alone', async () => {
    const bob = await up('bob', { room: 'nobody is here' });
    const snapshot = await bob.joined();
    expect(snapshot.peers).toEqual([]);
    expect(await bob.stop()).toBe(exitCodes.fine);
  });

  it('through a server that is not there: exit 4', async () => {
    const bob = await up('bob', { servers: ['ws://198.51.100.10:9'] });
    expect(await bob.exited).toBe(exitCodes.noServer);
    expect(bob.up.output).toContain('no-server');
    await bob.stop();
  });

  it('without the right to create an interface: exit 5, and what to do', async () => {
    const argv = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all'];
    const command = [process.execPath, 'cli/warren', 'up', '--room', 'x', '--server', server.url];
    const environment = { WARREN_PASSWORD: PASSWORD };
    const result = await topology.lab.run(
      at('bob'),
      [...argv, ...command, '--password-env', 'WARREN_PASSWORD', '--state-dir', `/tmp/warren-refused-${process.pid}`],
      { env: environment },
    );
    expect(result.code).toBe(exitCodes.noRights);
    expect(result.stderr).toMatch(/root|helper|setcap/);
    await topology.lab.run(at('bob'), ['rm', '-rf', `/tmp/warren-refused-${process.pid}`]);
  });

  it('with an interface name that is taken: said so', async () => {
    const bob = await up('bob', { extra: ['--interface', 'eth0'] });
    expect(await bob.exited).not.toBe(0);
    expect(bob.up.output).toMatch(/name-taken|invalid/);
    await bob.stop();
  });

  it('twice from one state directory: exit 6, and the first goes on', async () => {
    const argv = [
      'up',
      '--room',
      'the shire',
      '--server',
      server.url,
      '--password-file',
      `${ann.stateDir}/lab-password`,
    ];
    const second = await warren(topology.lab, at('ann'), [...argv, '--state-dir', ann.stateDir]);
    expect(second.code).toBe(exitCodes.alreadyRunning);
    expect(ann.up.running).toBe(true);
  });

  it('by somebody whose nickname is in use: both are shown apart', async () => {
    const bob = await up('bob', { nick: 'ann' });
    const snapshot = await bob.waitFor('a peer', ({ peers }) => peers.length === 1);
    expect([snapshot.peers[0]?.nick, snapshot.self?.nick].filter((nick) => nick === 'ann').length).toBeLessThan(2);
    await bob.stop();
    await ann.waitFor('alone again', ({ peers }) => peers.every(({ state }) => state !== 'connected'));
  });

  it('killed in the middle: no interface, no lock in the way, and back in the room at the next start', async () => {
    const before = await interfaces('bob');
    const bob = await up('bob');
    await bothOver(ann, bob, ['direct']);
    expect(await interfaces('bob')).toContain('warren');
    const { stateDir } = bob;
    bob.up.child.kill('SIGKILL');
    await bob.exited;
    await expect.poll(() => interfaces('bob')).toBe(before);
    const again = await up('bob', { stateDir });
    await bothOver(ann, again, ['direct']);
    expect(await again.stop()).toBe(exitCodes.fine);
    expect(readdirSync(stateDir)).not.toContain('lock');
    await bob.stop();
  });

  it('among garbage on every socket: the tunnel carries on', async () => {
    // Another nickname: the key behind `bob` was pinned above, and this one is new.
    const bob = await up('bob', { nick: 'bill' });
    await bothOver(ann, bob, ['direct']);
    const remote = bob.peer('ann')?.path?.remote ?? '';
    const flood = join(`const target = ${JSON.stringify(remote)};`, FLOOD);
    // From bob's own LAN address and NAT: ann's filter lets it in.
    const sent = await topology.lab.run(at('bob'), [process.execPath, '--input-type=module', '-e', flood], {
      env: { SEED: randomBytes(4).toString('hex'), SERVER: topology.server.ipv4 },
    });
    expect(sent.stdout).toContain('done');
    expect(await ann.kernelPing(bob.ipv4, 5)).toBe(5);
    expect(ann.up.running && bob.up.running && server.process.running).toBe(true);
    await bob.stop();
  });
});

const join = (...lines: string[]): string => lines.join('\n');

/** Random, oversized and almost-right datagrams to a member and to the server's UDP and TCP ports; bounded. */
const FLOOD = `
import { createSocket } from 'node:dgram';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
const [ip, port] = target.split(':');
const socket = createSocket('udp4');
const heads = [[1, 0, 0, 0], [2, 0, 0, 0], [3, 0, 0, 0], [4, 0, 0, 0], [0xd7, 1, 0, 0], [0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42], []];
const sizes = [0, 1, 16, 32, 64, 92, 148, 1_400, 9_000, 65_000];
for (let round = 0; round < 400; round++) {
  const body = randomBytes(sizes[round % sizes.length]);
  const packet = Buffer.concat([Buffer.from(heads[round % heads.length]), body]);
  for (const [host, at] of [[ip, Number(port)], [process.env.SERVER, 3478], [process.env.SERVER, 3479]])
    await new Promise((resolve) => socket.send(packet, at, host, () => resolve()));
}
socket.close();
for (let round = 0; round < 20; round++) {
  await new Promise((resolve) => {
    const tcp = connect(7868, process.env.SERVER, () => tcp.end(randomBytes(20_000)));
    tcp.on('error', () => {});
    tcp.on('close', resolve);
    tcp.resume();
  });
}
console.log('done');
`;
