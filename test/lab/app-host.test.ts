/** The app without a screen on real networks: two behind NATs, with a server of somebody, of their own, or of nobody. */
import { readdir } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { isSavedRoom } from '../../engine/net/state/saved-room.ts';
import type { AppCommand } from '../../protocol/face.ts';
import { decodeInvite } from '../../protocol/invite.ts';
import { until } from '../until.ts';
import { LabApp } from './app-host/app.ts';
import { Member, RendezvousServer, warren } from './cli.ts';
import { Miniupnpd } from './miniupnpd.ts';
import type { Namespace } from './netns.ts';
import { describeLab } from './requirements.ts';
import { type Host, type Topology, startTopology } from './topology.ts';

const password = 'warm-otter-beacon-42';

describeLab('the app', () => {
  let topology: Topology;
  let server: RendezvousServer;
  const apps = new Set<LabApp>();
  const members = new Set<Member>();
  let rooms = 0;

  beforeAll(async () => {
    topology = await startTopology({
      sites: [
        { name: 'ann', nat: 'port-restricted', hosts: 2 },
        { name: 'bob', nat: 'full-cone' },
      ],
    });
    server = await RendezvousServer.start(topology.lab, topology.server);
  });
  afterEach(async () => {
    await Promise.all([...apps].map((started) => started.stop()));
    await Promise.all([...members].map((started) => started.stop()));
    apps.clear();
    members.clear();
  });
  afterAll(() => topology?.close());

  const hostOf = (site: string, index = 0): Host => topology.site(site).hosts[index] as Host;

  function app(nick: string, host: Host, stateDir?: string): LabApp {
    const started = new LabApp(topology.lab, host.namespace, nick, stateDir);
    apps.add(started);
    return started;
  }

  function join(nick: string, change: Partial<Extract<AppCommand, { type: 'join' }>> = {}): AppCommand {
    const choice = { kind: 'address' as const, urls: [server.url] };
    return { type: 'join', room: `room ${rooms}`, password, nick, server: choice, create: false, ...change };
  }

  it('meets a friend behind another NAT, directly; they talk both ways, and leave without a trace', async () => {
    rooms += 1;
    const [ann, bob] = [app('ann', hostOf('ann')), app('bob', hostOf('bob'))];
    await ann.do(join('ann', { create: true }));
    await ann.reaches('running');
    await bob.do(join('bob'));
    await bob.reaches('running');
    const [seenByAnn] = await Promise.all([ann.sees('bob', ['direct']), bob.sees('ann', ['direct'])]);
    expect(seenByAnn.timeline.at(-1)?.kind).toBe('direct');
    expect(seenByAnn.punch).toBeNull();
    await ann.do({ type: 'chat', text: 'hello bob' });
    await bob.waitFor('hello bob', ({ snapshot }) => snapshot.chat.some(({ text }) => text === 'hello bob'));
    await bob.do({ type: 'chat', text: 'hello ann' });
    const { snapshot } = await ann.waitFor('both lines', (state) => state.snapshot.chat.length === 2);
    expect(snapshot.chat.map(({ nick, text }) => [nick, text])).toEqual([
      ['ann', 'hello bob'],
      ['bob', 'hello ann'],
    ]);
    expect(await ann.do({ type: 'ping', peer: 'bob' })).toMatchObject({ nick: 'bob', path: 'direct' });
    const { link } = (await ann.do({ type: 'invite' })) as { link: string };
    expect(decodeInvite(link)).toMatchObject({ ok: true, invite: { password, servers: [server.url] } });

    const { text } = (await bob.do({ type: 'diagnostics' })) as { text: string };
    expect(text).toContain('path to');
    for (const secret of [password, 'hello bob', '"ann"', hostOf('ann').ipv4, topology.site('ann').external]) {
      expect(text).not.toContain(secret);
    }
    await bob.do({ type: 'leave' });
    expect((await bob.reaches('idle')).rooms).toMatchObject([{ nick: 'bob' }]);
    const kept = await topology.lab.run(hostOf('bob').namespace, ['grep', '-r', '-c', password, bob.stateDir]);
    expect(kept.stdout).not.toMatch(/:[1-9]/);
    await ann.waitFor('bob gone', (state) => state.snapshot.peers.length === 0);
    const links = await topology.lab.run(hostOf('bob').namespace, ['ip', '-o', 'link']);
    expect(links.stdout).not.toContain('warren');
    expect((await readdir(bob.stateDir)).filter((name) => /control|lock/.test(name))).toEqual([]);
  });

  it('joins again by memory after a restart, and can make no invite then', async () => {
    rooms += 1;
    const ann = app('ann', hostOf('ann'));
    await ann.do(join('ann', { create: true }));
    await ann.reaches('running');
    await ann.do({ type: 'prefer', change: { rejoin: true } });
    await until('the room on the disk', () => isSavedRoom(ann.stateDir, `room ${rooms}`));
    await ann.process.stop('SIGKILL');
    const again = app('ann', hostOf('ann'), ann.stateDir);
    expect((await again.reaches('running')).connection).toMatchObject({ attached: false });
    await expect(again.do({ type: 'invite' })).rejects.toThrow('invalid');
    await again.do({ type: 'leave' });
    await again.reaches('idle');
    await again.do({ type: 'forget', room: `room ${rooms}` });
    expect((await again.waitFor('no rooms', (state) => state.rooms.length === 0)).rooms).toEqual([]);
    await again.do(join('ann', { password: null }));
    expect((await again.reaches('failed')).connection).toMatchObject({ code: 'invalid' });
  });

  it('says wrong-password, and remembers no such room', async () => {
    rooms += 1;
    const [ann, bob] = [app('ann', hostOf('ann')), app('bob', hostOf('bob'))];
    await ann.do(join('ann', { create: true }));
    await ann.reaches('running');
    await bob.do(join('bob', { password: 'not the password' }));
    const { connection, rooms: saved } = await bob.reaches('failed');
    expect(connection).toMatchObject({ state: 'failed', code: 'wrong-password' });
    expect(saved).toEqual([]);
    await bob.do(join('bob'));
    await bob.sees('ann', ['direct']);
  });

  it('says no-server when nobody is there', async () => {
    const bob = app('bob', hostOf('bob'));
    await bob.do(join('bob', { server: { kind: 'address', urls: ['ws://198.51.100.10:9'] } }));
    expect((await bob.reaches('failed')).connection).toMatchObject({ code: 'no-server' });
  });

  it('attaches to `warren up`, and is idle when that is killed', async () => {
    rooms += 1;
    const up = await Member.start(topology.lab, hostOf('ann').namespace, {
      nick: 'ann',
      room: `room ${rooms}`,
      password,
      servers: [server.url],
      create: true,
    });
    members.add(up);
    await up.joined();
    const ann = app('ann', hostOf('ann'), up.stateDir);
    const { connection } = await ann.reaches('running');
    expect(connection).toEqual({ state: 'running', room: `room ${rooms}`, attached: true });
    const bob = app('bob', hostOf('bob'));
    await bob.do(join('bob'));
    await ann.sees('bob', ['direct']);
    await ann.do({ type: 'chat', text: 'from the window' });
    await bob.waitFor('the line', ({ snapshot }) => snapshot.chat.some(({ text }) => text === 'from the window'));
    await up.up.stop('SIGKILL');
    expect((await ann.reaches('idle')).snapshot.state).toBe('off');
    // Its place is free for an engine of the app's own.
    await ann.do(join('ann'));
    expect((await ann.reaches('running')).connection).toMatchObject({ attached: false });
    const status = await warren(topology.lab, up.namespace, ['status', '--json', '--state-dir', ann.stateDir]);
    expect(JSON.parse(status.stdout)).toMatchObject({ state: 'joined' });
  });

  it('ends `warren up` by its leave', async () => {
    rooms += 1;
    const up = await Member.start(topology.lab, hostOf('ann').namespace, {
      nick: 'ann',
      room: `room ${rooms}`,
      password,
      servers: [server.url],
      create: true,
    });
    members.add(up);
    await up.joined();
    const ann = app('ann', hostOf('ann'), up.stateDir);
    await ann.reaches('running');
    await ann.do({ type: 'leave' });
    await ann.reaches('idle');
    expect(await up.up.exited).toBe(0);
  });

  it('hosts a room on this PC, and a friend on the same LAN joins by the invite', async () => {
    rooms += 1;
    const [ann, bob] = [app('ann', hostOf('ann')), app('bob', hostOf('ann', 1))];
    await ann.do(join('ann', { server: { kind: 'host' }, create: true }));
    const { hosting } = await ann.reaches('running');
    expect(hosting).toEqual({ state: 'on', urls: [`ws://${hostOf('ann').ipv4}:7868`], reachable: null });
    const { link } = (await ann.do({ type: 'invite' })) as { link: string };
    await bob.do({ type: 'open-invite', link });
    const { invitation } = await bob.waitFor('the invitation', (state) => state.invitation !== null);
    expect(invitation).toEqual({
      name: `room ${rooms}`,
      servers: [`ws://${hostOf('ann').ipv4}:7868`],
      leaving: null,
    });
    await bob.do({ type: 'answer-invite', accept: true, nick: 'bob' });
    await Promise.all([ann.sees('bob', ['lan']), bob.sees('ann', ['lan'])]);
    await ann.do({ type: 'leave' });
    expect((await ann.reaches('idle')).hosting).toEqual({ state: 'off' });
  });
});

describeLab('a room hosted behind a router that opens ports', () => {
  /** Not a documentation range: miniupnpd takes those for reserved. */
  const external = '81.2.69.10';
  let topology: Topology;
  let router: Miniupnpd;
  let ann: LabApp;
  let bob: LabApp;

  beforeAll(async () => {
    topology = await startTopology({
      sites: [
        { name: 'ann', nat: { kernel: 'masquerade', input: 'drop' }, external },
        { name: 'bob', nat: 'port-restricted' },
      ],
    });
    const ofSite = (site: string) => topology.site(site);
    router = await Miniupnpd.start(topology.lab, ofSite('ann').gateway as Namespace, { protocols: ['upnp'] });
    ann = new LabApp(topology.lab, ofSite('ann').hosts[0]!.namespace, 'ann');
    bob = new LabApp(topology.lab, ofSite('bob').hosts[0]!.namespace, 'bob');
  });
  afterAll(async () => {
    await Promise.all([ann?.stop(), bob?.stop()]);
    await router?.stop();
    await topology?.close();
  });

  it('is joined from the Internet by its invite, and closes its ports when the setting goes off', async () => {
    const server = { kind: 'host' as const };
    await ann.do({ type: 'join', room: 'hosted', password, nick: 'ann', server, create: true });
    const { hosting } = await ann.waitFor(
      'a reachable server',
      (state) => state.hosting.state === 'on' && state.hosting.reachable === true,
    );
    expect(hosting).toMatchObject({ urls: [expect.stringContaining(`ws://${external}:`), 'ws://192.168.1.10:7868'] });
    await ann.reaches('running');
    const { link } = (await ann.do({ type: 'invite' })) as { link: string };
    await bob.do({ type: 'open-invite', link });
    await bob.do({ type: 'answer-invite', accept: true, nick: 'bob' });
    await bob.reaches('running');
    await Promise.all([ann.sees('bob', ['direct']), bob.sees('ann', ['direct'])]);

    await bob.waitFor('a name for the own NAT', ({ snapshot }) => snapshot.self?.nat.type === 'NAT3');

    const mapped = async () => (await router.leases()).map(({ transport }) => transport.toLowerCase()).sort();
    expect(await mapped()).toEqual(['tcp', 'udp', 'udp', 'udp']);
    await ann.do({ type: 'set', setting: 'port-mapping', on: false });
    await until('the router forwards nothing', async () => (await mapped()).length === 0);
    await ann.waitFor('only the LAN', ({ hosting: now }) => now.state === 'on' && now.urls.length === 1);
  });
});
