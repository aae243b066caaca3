/** What the command says when it cannot do what was asked, and what strangers' bytes do: exit codes, and nothing left behind. */
import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { exitCodes, Member, type MemberOptions, RendezvousServer, warren } from './cli.ts';
import { Probe } from './conformance/probe.ts';
import type { RunResult } from './netns.ts';
import { repositoryRoot } from './paths.ts';
import { describeLab } from './requirements.ts';
import { bothOver } from './room.ts';
import { type Host, type Topology, startTopology } from './topology.ts';

const password = 'warm-otter-beacon-42';
const nobody = 65_534;

describeLab('the command in trouble', () => {
  let topology: Topology;
  let server: RendezvousServer;
  const started = new Set<Member>();
  let rooms = 0;

  beforeAll(async () => {
    topology = await startTopology({
      sites: [
        { name: 'ann', nat: 'public' },
        { name: 'bob', nat: 'full-cone' },
      ],
    });
    server = await RendezvousServer.start(topology.lab, topology.server);
  });
  afterEach(async () => {
    await Promise.all([...started].map((member) => member.stop()));
    started.clear();
  });
  afterAll(() => topology?.close());

  const hostOf = (site: string): Host => topology.site(site).hosts[0]!;

  /** Members of one test share a room that no other test knows. */
  const freshRoom = (): string => `room ${(rooms += 1)}`;

  async function start(site: string, options: Partial<MemberOptions> & { room: string }): Promise<Member> {
    const defaults = { nick: site, password, servers: [server.url] };
    const member = await Member.start(topology.lab, hostOf(site).namespace, { ...defaults, ...options });
    started.add(member);
    return member;
  }

  async function interfaces(site: string): Promise<string> {
    return (await topology.lab.run(hostOf(site).namespace, ['ip', '-o', 'link'])).stdout;
  }

  it('ends with 3 for a wrong password, and shows nobody to anybody', async () => {
    const room = freshRoom();
    const ann = await start('ann', { room, create: true });
    await ann.joined();
    const bob = await start('bob', { room, password: 'not the password' });
    expect(await bob.exited).toBe(exitCodes.wrongPassword);
    expect(bob.up.output).toContain('(wrong-password)');
    await ann.waitFor('a failed guess', ({ notices }) => notices.some(({ code }) => code === 'failed-guess'));
    expect(ann.snapshot?.peers).toEqual([]);
    expect(await interfaces('bob')).not.toContain('warren');
  });

  it('waits alone in a room where nobody is', async () => {
    const ann = await start('ann', { room: freshRoom() });
    await ann.joined();
    expect(ann.snapshot?.peers).toEqual([]);
    expect(ann.up.running).toBe(true);
  });

  it.for([
    ['refuses', 'ws://198.51.100.10:9'],
    ['never answers', 'ws://203.0.113.250:7868'],
  ] as const)('ends with 4 when the server %s', async ([, url]) => {
    const bob = await start('bob', { room: freshRoom(), servers: [url] });
    expect(await bob.exited).toBe(exitCodes.noServer);
    expect(bob.up.output).toContain('(no-server)');
    expect(await interfaces('bob')).not.toContain('warren');
  });

  it('ends with 5 without the right to create an interface, and joins without one when told so', async () => {
    const stateDir = await mkdtemp(join(tmpdir(), 'warren-lab-nobody-'));
    await chown(stateDir, nobody, nobody);
    await chmod(stateDir, 0o700);
    const up = (...extra: string[]): Promise<RunResult> => {
      const drop = ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', '--bounding-set=-all'];
      const command = [process.execPath, join(repositoryRoot, 'cli/warren'), 'up', '--room', freshRoom(), '--create'];
      const where = [
        '--server',
        server.url,
        '--password-env',
        'LAB_PASSWORD',
        '--state-dir',
        stateDir,
        '--json',
        ...extra,
      ];
      return topology.lab.run(hostOf('bob').namespace, ['timeout', '-s', 'INT', '15', ...drop, ...command, ...where], {
        env: { LAB_PASSWORD: password, HOME: stateDir, XDG_RUNTIME_DIR: stateDir },
      });
    };
    const refused = await up();
    expect(refused.code, refused.stderr).toBe(exitCodes.noRights);
    expect(refused.stderr).toContain('(no-rights)');
    expect((await up('--no-tun')).stdout).toContain('"state":"joined"');
    await rm(stateDir, { recursive: true, force: true });
  }, 60_000);

  it('says so when the interface has a name that is taken', async () => {
    const bob = await start('bob', { room: freshRoom(), extra: ['--interface', 'eth0'] });
    expect(await bob.exited).not.toBe(exitCodes.fine);
    expect(bob.up.output).toMatch(/\((name-taken|usage)\)/);
    expect(await interfaces('bob')).toContain('eth0');
  });

  it('ends with 6 for a second one in the same state directory, and leaves the first alone', async () => {
    const room = freshRoom();
    const ann = await start('ann', { room, create: true });
    await ann.joined();
    const second = await start('ann', { room, stateDir: ann.stateDir });
    expect(await second.exited).toBe(exitCodes.alreadyRunning);
    expect(second.up.output).toContain('(already-running)');
    expect(ann.up.running).toBe(true);
    expect((await warren(topology.lab, ann.namespace, ['status', '--json', '--state-dir', ann.stateDir])).code).toBe(0);
  });

  it('ends with 2 when asked for what makes no sense', async () => {
    for (const argv of [
      ['up', '--room', 'x'],
      ['up', '--server', server.url],
      ['fly'],
      ['up', '--udp-port', '70000'],
    ]) {
      const result = await warren(topology.lab, hostOf('ann').namespace, argv);
      expect(result.code, argv.join(' ')).toBe(exitCodes.usage);
      expect(result.stderr).toContain('(usage)');
    }
  });

  it('shows two of one name apart', async () => {
    const room = freshRoom();
    const ann = await start('ann', { room, nick: 'max', create: true });
    await ann.joined();
    const bob = await start('bob', { room, nick: 'max' });
    const found = await bob.waitFor('the other max', ({ peers }) => peers[0]?.state === 'connected');
    const nick = found.peers[0]?.nick ?? '';
    expect(nick).toMatch(/^max-.{4}$/);
    expect((await bob.ping(nick)).code).toBe(0);
  });

  it('takes everything down on SIGTERM, and leaves no socket behind', async () => {
    const ann = await start('ann', { room: freshRoom(), create: true });
    await ann.joined();
    expect(await interfaces('ann')).toContain('warren0');
    expect(await ann.up.stop('SIGTERM')).toBe(exitCodes.fine);
    expect(await interfaces('ann')).not.toContain('warren');
    expect((await readdir(ann.stateDir)).filter((name) => /sock|lock/.test(name))).toEqual([]);
  });

  it('starts again after it was killed in the middle, with the address that it had', async () => {
    const room = freshRoom();
    const ann = await start('ann', { room, create: true });
    await ann.joined();
    const bob = await start('bob', { room });
    await bob.joined();
    await bothOver(ann, bob, ['direct']);
    const address = bob.ipv4;
    await bob.up.stop('SIGKILL');
    expect(await interfaces('bob')).not.toContain('warren');
    const again = await start('bob', { room, stateDir: bob.stateDir });
    await again.joined();
    expect(again.ipv4).toBe(address);
    await bothOver(ann, again, ['direct'], 60_000);
    expect(await ann.kernelPing(address)).toBe(3);
  }, 120_000);

  it('does not mind random, empty and oversized frames at every socket', async () => {
    const room = freshRoom();
    const ann = await start('ann', { room, create: true, extra: ['--udp-port', '47000'] });
    await ann.joined();
    const bob = await start('bob', { room });
    await bob.joined();
    await bothOver(ann, bob, ['direct']);
    const attacker = new Probe(topology.lab, hostOf('bob').namespace);
    await attacker.open('x');
    const targets = [
      { address: hostOf('ann').ipv4, port: 47_000 },
      { address: topology.server.ipv4, port: 3_478 },
      { address: topology.server.ipv4, port: 3_479 },
    ];
    for (let round = 0; round < 300; round += 1) {
      const size = [0, 1, 4, 20, 28, 60, 148, 1_472, 9_000][round % 9] as number;
      const bytes = randomBytes(size);
      // A third each: noise, what begins like WireGuard, and what begins like a probe of ours.
      if (size > 4 && round % 3 === 1) bytes.set([1 + (round % 4), 0, 0, 0]);
      else if (size > 4 && round % 3 === 2) bytes.set([0xd7]);
      for (const target of targets) await attacker.send('x', target, bytes.toString('latin1'));
    }
    await attacker.stop();
    const junk = 'head -c 200000 /dev/urandom > /dev/tcp/$0/$1 || true';
    await topology.lab.run(hostOf('bob').namespace, ['bash', '-c', junk, topology.server.ipv4, '7868']);
    expect(await bob.kernelPing(ann.ipv4, 5)).toBe(5);
    expect(ann.snapshot?.state).toBe('joined');
    expect(bob.peer('ann')).toMatchObject({ state: 'connected', path: { kind: 'direct' } });
    expect(server.process.running).toBe(true);
  }, 60_000);
});
