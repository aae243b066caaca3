/** The browser UI in a real Chromium, behind NATs, with friends on the command line: what one evening of playing does to it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Member, RendezvousServer } from '../lab/cli.ts';
import { type Host, type Topology, startTopology } from '../lab/topology.ts';
import { until } from '../until.ts';
import { BrowserPlayer } from './browser.ts';
import { launchChromium } from './chromium.ts';
import { buildRenderer } from './renderer-page.ts';
import { describeBrowserLab } from './requirements.ts';
import { HARD_NAT, PORT_MAPPING, Screens } from './screens.ts';

const password = 'warm-otter-beacon-42';

describeBrowserLab('an evening in the browser', () => {
  let topology: Topology;
  let server: RendezvousServer;
  let ann: BrowserPlayer;
  let screens: Screens;
  let directory: string | undefined;
  const friends: Member[] = [];
  const hostOf = (site: string): Host => topology.site(site).hosts[0]!;

  beforeAll(async () => {
    buildRenderer();
    directory = await mkdtemp(join(tmpdir(), 'warren-friends-'));
    topology = await startTopology({
      sites: [
        { name: 'ann', nat: 'port-restricted' },
        { name: 'bob', nat: 'full-cone' },
        { name: 'cleo', nat: 'port-restricted' },
      ],
    });
    server = await RendezvousServer.start(topology.lab, topology.server);
    ann = await BrowserPlayer.start(topology.lab, hostOf('ann').namespace);
    screens = new Screens(ann.page);
  });
  afterEach(async () => {
    await Promise.all(friends.splice(0).map((friend) => friend.stop()));
  });
  afterAll(async () => {
    await ann?.close();
    await topology?.close();
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
    expect(ann?.problems).toEqual([]);
  });

  async function invite(nick: string, room: string): Promise<Member> {
    // A friend who comes back is the same one: the key lies in the state directory.
    const stateDir = join(directory ?? '', nick);
    const options = { nick, room, password, servers: [server.url], stateDir };
    const member = await Member.start(topology.lab, hostOf(nick).namespace, options);
    friends.push(member);
    return member;
  }

  const entry = (room: string) => ({ nick: 'ann', room, password, server: server.url, create: true });

  it('creates a room by typing, and sees a friend come over the relay and become direct', async () => {
    await screens.enter(entry('evening'));
    await screens.inRoom('evening');
    const { router } = topology;
    await router.block('ann', { remote: [topology.site('bob').external], protocol: 'udp' });
    const bob = await invite('bob', 'evening');
    await screens.memberIs('bob', 'Relayed');
    await ann.statusIs('bob over the relay', ({ peers }) => peers[0]?.path?.kind === 'relay');
    await router.unblock('ann');
    await screens.memberIs('bob', 'Direct');
    await ann.statusIs('bob direct', ({ peers }) => peers[0]?.path?.kind === 'direct');
    expect(await bob.kernelPing((await ann.status()).self?.ipv4 ?? '')).toBe(3);
    expect(ann.page.url()).not.toContain('code=');
  });

  it('toggles NAT4 probing and port mapping, in the engine and for later', async () => {
    for (const [name, setting] of [
      [HARD_NAT, 'hardNat'],
      [PORT_MAPPING, 'portMapping'],
    ] as const) {
      await screens.switchIs(name, true);
      await screens.toggle(name);
      await screens.switchIs(name, false);
      await ann.statusIs(`${setting} off`, ({ settings }) => !settings[setting]);
    }
    await screens.toggle(HARD_NAT);
    await ann.statusIs('hard NAT on', ({ settings }) => settings.hardNat && !settings.portMapping);
    await screens.switchIs(HARD_NAT, true);
  });

  it('shows the truth after a reload, without a new address', async () => {
    const [bob, cleo] = [await invite('bob', 'evening'), await invite('cleo', 'evening')];
    const bothDirect = () => Promise.all(['bob', 'cleo'].map((nick) => screens.memberIs(nick, 'Direct')));
    await bothDirect();
    await ann.page.reload();
    await screens.inRoom('evening');
    await bothDirect();
    await screens.switchIs(PORT_MAPPING, false);
    await cleo.stop();
    await until('cleo has gone', async () => (await screens.member('cleo').count()) === 0);
    await screens.memberIs('bob', 'Direct');
    await bob.waitFor('cleo has gone', ({ peers }) => peers.every(({ nick }) => nick !== 'cleo'));
  });

  it('lets no tab in that was not opened with an address from the terminal', async () => {
    const other = await ann.page.context().newPage();
    await other.goto(ann.page.url());
    await other.getByText('This page may not open Warren').waitFor();
    expect(await other.getByText('evening').count()).toBe(0);
    await other.close();
  });

  it('says that the server is gone, and goes on when it is back', async () => {
    await server.stop('SIGKILL');
    await ann.page
      .getByText(/reconnecting/i)
      .first()
      .waitFor();
    await ann.statusIs('reconnecting', ({ state }) => state === 'reconnecting');
    server = await RendezvousServer.start(topology.lab, topology.server);
    await ann.statusIs('joined again', ({ state }) => state === 'joined');
    await invite('bob', 'evening');
    await ann.statusIs('bob direct', ({ peers }) =>
      peers.some(({ nick, path }) => nick === 'bob' && path?.kind === 'direct'),
    );
    await screens.memberIs('bob', 'Direct');
    expect(await ann.page.getByText(/reconnecting/i).count()).toBe(0);
  });

  it('leaves, and is out for everybody', async () => {
    const bob = await invite('bob', 'evening');
    await bob.waitFor('ann is there', ({ peers }) => peers.some(({ nick }) => nick === 'ann'));
    await screens.leaveButton.click();
    await screens.outside();
    await ann.statusIs('off', ({ state }) => state === 'off');
    await bob.waitFor('ann has gone', ({ peers }) => peers.every(({ nick }) => nick !== 'ann'));
  });

  it('says that a password is wrong, and lets the person type it again', async () => {
    const bob = await invite('bob', 'locked');
    await bob.joined();
    await screens.enter({ ...entry('locked'), create: false, password: 'not the password' });
    await ann.page.getByRole('alert').filter({ hasText: 'Wrong password' }).waitFor();
    await screens.enter({ ...entry('locked'), create: false });
    await screens.inRoom('locked');
    await screens.memberIs('bob', 'Direct');
    await screens.leaveButton.click();
    await screens.outside();
  });

  it('shows the room of `warren up --ui` beside it, and ends it by leaving', async () => {
    const options = { nick: 'cleo', room: 'beside', password, servers: [server.url], create: true, extra: ['--ui'] };
    const { namespace } = hostOf('cleo');
    const cleo = await Member.start(topology.lab, namespace, options);
    friends.push(cleo);
    await cleo.joined();
    const browser = await launchChromium({ namespace });
    try {
      const page = await browser.newPage();
      await page.goto(/"url":"([^"]+)"/.exec(cleo.up.output)?.[1] ?? '');
      const beside = new Screens(page);
      await beside.inRoom('beside');
      await page.getByText('This room was opened in a terminal').waitFor();
      await beside.leaveButton.click();
      expect(await cleo.exited).toBe(0);
    } finally {
      await browser.close();
    }
  });
});
