/** An evening with the desktop app: one player with a window, two friends on the command line, everybody behind a NAT. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AppCommand } from '../../protocol/face.ts';
import { encodeInvite } from '../../protocol/invite.ts';
import { Member, RendezvousServer } from '../lab/cli.ts';
import type { Namespace } from '../lab/netns.ts';
import { repositoryRoot } from '../lab/paths.ts';
import { startTopology, type Topology } from '../lab/topology.ts';
import { until as untilWithin } from '../until.ts';
import { DesktopApp, interfacesOf, isRunning } from './electron.ts';
import { describeElectron, electronFolder } from './electron-runtime.ts';
import { VirtualScreen } from './xvfb.ts';

const ROOM = 'friday & friends';
const PASSWORD = 'warm-otter-beacon-42';
/** The machine may be shared with other tests. */
const PATIENCE_MS = 60_000;
const HOSTILE_NICK = '<img src=x onerror=globalThis.pwned=1>';
/** Above the time in which an arrival is kept quiet (electron/main/notices.ts). */
const ARRIVAL_MS = 5_500;

const until = (what: string, condition: () => Promise<boolean> | boolean) => untilWithin(what, condition, PATIENCE_MS);

describeElectron('an evening with the app', () => {
  let topology: Topology;
  let server: RendezvousServer;
  let screen: VirtualScreen;
  let folder: string;
  let app: DesktopApp;
  let ann: Member;
  const host = (site: string): Namespace => topology.site(site).hosts[0]!.namespace;
  const stateDir = () => join(folder, 'state');
  const open = () => DesktopApp.start({ namespace: host('desk'), display: screen.display, stateDir: stateDir() });
  const joining = (password: string | null, create: boolean): AppCommand => ({
    type: 'join',
    room: ROOM,
    password,
    nick: 'desk',
    server: { kind: 'address', urls: [server.url] },
    create,
  });
  const joined = () =>
    app.waitFor('joined', ({ snapshot }) => snapshot.state === 'joined' && snapshot.self?.ipv4 != null);
  const friend = (nick: string, site: string) =>
    Member.start(topology.lab, host(site), { nick, room: ROOM, password: PASSWORD, servers: [server.url] });

  beforeAll(async () => {
    topology = await startTopology({
      sites: ['desk', 'ann', 'bo'].map((name) => ({ name, nat: 'port-restricted' as const })),
    });
    server = await RendezvousServer.start(topology.lab, topology.server);
    screen = await VirtualScreen.start();
    folder = await mkdtemp(join(tmpdir(), 'warren-evening-'));
    app = await open();
  });

  afterAll(async () => {
    await app?.stop();
    await ann?.stop();
    await server?.stop();
    await screen?.stop();
    await topology?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('begins with no room and an icon that says so', async () => {
    expect((await app.state()).connection).toEqual({ state: 'idle' });
    await app.watchTray();
    await app.command({ type: 'prefer', change: { language: 'zh-CN' } });
    await until('the tray speaks Chinese', async () => (await app.trayMenu()).some(({ label }) => label === '退出'));
    await app.command({ type: 'prefer', change: { language: 'en' } });
    await until('the tray speaks English', async () => (await app.trayMenu()).some(({ label }) => label === 'Quit'));
    expect(await app.trayTooltip()).toBe('Not connected');
  });

  it('makes a room, with an interface', async () => {
    expect(await app.command(joining(PASSWORD, true))).toMatchObject({ ok: true });
    const { snapshot, connection } = await joined();
    expect(connection).toMatchObject({ state: 'running', room: ROOM, attached: false });
    expect(interfacesOf(host('desk'))).toContain(snapshot.self?.interface);
    expect(await app.trayTooltip()).toContain('nobody else is here yet');
  });

  it('sees a friend come, reached directly in the end', async () => {
    ann = await friend(HOSTILE_NICK, 'ann');
    await ann.joined();
    const state = await app.waitFor('a direct path', ({ snapshot }) => snapshot.peers[0]?.path?.kind === 'direct');
    expect(state.snapshot.peers[0]?.timeline.at(-1)?.kind).toBe('direct');
    expect(await ann.kernelPing(state.snapshot.self?.ipv4 ?? '')).toBeGreaterThan(0);
  });

  it('shows a hostile nickname as text', async () => {
    await until('the tray names the friend', async () =>
      (await app.trayMenu()).some(({ label }) => label.startsWith('<img src=x onerror=globalThis.')),
    );
    const page = await app.page();
    expect(await page.evaluate(() => 'pwned' in globalThis)).toBe(false);
    expect((await app.trayMenu())[0]?.label).toContain('friday && friends: 2 here, all direct');
  });

  it('shows the truth in a window that was closed and opened again', async () => {
    const before = await app.state();
    await app.closeWindow();
    expect(isRunning(await app.pid())).toBe(true);
    const reopened = app.electron.waitForEvent('window');
    await app.chooseInTray('Show Warren');
    await reopened;
    const { snapshot } = await app.state();
    expect(snapshot.room).toEqual(before.snapshot.room);
    expect(snapshot.peers.map(({ nick }) => nick)).toEqual([HOSTILE_NICK]);
  });

  it('becomes small, and large again', async () => {
    const width = () =>
      app.electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.getContentSize()[0] ?? 0);
    const large = await width();
    await app.command({ type: 'window', mode: 'mini' });
    await until('the window is small', async () => (await width()) < large);
    await app.command({ type: 'window', mode: 'full' });
    await until('the window is large', async () => (await width()) === large);
  });

  it('hears of those who come and go, but not of everyone at the start', async () => {
    await app.watchNotifications();
    await app.closeWindow();
    const arrived = performance.now();
    await until('the quiet after an arrival is over', () => performance.now() - arrived > ARRIVAL_MS);
    const bo = await friend('bo', 'bo');
    try {
      await bo.joined();
      await until('bo is announced', async () => (await app.notifications()).includes(`bo joined ${ROOM}`));
      await bo.stop();
      await until('bo is said to have left', async () => (await app.notifications()).includes(`bo left ${ROOM}`));
    } finally {
      // What comes next finds the room as it was.
      await bo.stop();
      await app.chooseInTray('Show Warren');
      await app.page();
    }
  });

  it('goes on while the server is away, and finds it again', async () => {
    await server.stop('SIGKILL');
    const away = await app.waitFor('reconnecting', ({ snapshot }) => snapshot.state === 'reconnecting');
    expect(await ann.kernelPing(away.snapshot.self?.ipv4 ?? '')).toBeGreaterThan(0);
    server = await RendezvousServer.start(topology.lab, topology.server);
    await joined();
  });

  it('leaves and comes back at a click on the tray', async () => {
    const { snapshot } = await app.state();
    await app.clickTray();
    await app.waitFor('left', ({ connection }) => connection.state === 'idle');
    expect(interfacesOf(host('desk'))).not.toContain(snapshot.self?.interface);
    await app.clickTray();
    const again = await joined();
    expect(again.snapshot.self?.ipv4).toBe(snapshot.self?.ipv4);
  });

  it('hands toggles to the engine', async () => {
    await app.chooseInTray('NAT4 punching');
    await app.waitFor('hard NAT off', ({ snapshot }) => !snapshot.settings.hardNat);
    await app.command({ type: 'set', setting: 'port-mapping', on: false });
    await app.waitFor('port mapping off', ({ snapshot }) => !snapshot.settings.portMapping);
  });

  it('opens a link that a second start brings, and asks first', async () => {
    const link = encodeInvite({ name: 'other room', password: 'a-password', servers: ['wss://example.org'] });
    const electron = join(electronFolder(), 'electron');
    const argv = [electron, '--no-sandbox', repositoryRoot, `--state-dir=${stateDir()}`, '--', link];
    const second = topology.lab.spawn(host('desk'), argv, {
      env: { ...process.env, DISPLAY: screen.display, HOME: folder, DBUS_SESSION_BUS_ADDRESS: 'disabled:' },
    });
    expect(await second.exited).toBe(0);
    const { invitation, connection } = await app.waitFor('an invitation', (state) => state.invitation !== null);
    expect(invitation).toEqual({ name: 'other room', servers: ['wss://example.org'], leaving: ROOM });
    expect(connection).toMatchObject({ state: 'running', room: ROOM });
    await app.command({ type: 'answer-invite', accept: false });
    await app.waitFor('no invitation', (state) => state.invitation === null);
  });

  it('ends cleanly on a signal, and remembers everything but the password', async () => {
    const pid = await app.pid();
    const { snapshot } = await app.state();
    const ended = app.electron.waitForEvent('close');
    process.kill(pid, 'SIGTERM');
    await ended;
    await until('the process is gone', () => !isRunning(pid));
    await app.stop();
    expect(interfacesOf(host('desk'))).not.toContain(snapshot.self?.interface);
    app = await open();
    const { rooms, snapshot: off } = await app.state();
    expect(rooms.map(({ name }) => name)).toEqual([ROOM]);
    expect(off.settings).toMatchObject({ portMapping: false, hardNat: false });
    await app.command(joining(null, false));
    expect((await joined()).snapshot.self?.ipv4).toBe(snapshot.self?.ipv4);
    await app.command({ type: 'leave' });
    await app.waitFor('left', ({ connection }) => connection.state === 'idle');
  });

  it('tells a wrong password from a wrong network', async () => {
    await app.command({ type: 'forget', room: ROOM });
    await app.command(joining('not-the-password', false));
    const { connection } = await app.waitFor('the refusal', (state) => state.connection.state === 'failed');
    expect(connection).toMatchObject({ room: ROOM, code: 'wrong-password' });
  });

  it('ends with its window where no tray would bring it back', async () => {
    await app.stop();
    app = await DesktopApp.start({
      namespace: host('desk'),
      display: screen.display,
      stateDir: stateDir(),
      tray: false,
    });
    await app.page();
    const ended = app.electron.waitForEvent('close');
    await app.electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.close());
    await ended;
  });
});
