/** The window as a person uses it: fields and buttons, with a real engine and a friend behind them. */
import { mkdir, readFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { encodeInvite } from '../../protocol/invite.ts';
import { Member, RendezvousServer } from '../lab/cli.ts';
import type { Namespace } from '../lab/netns.ts';
import { repositoryRoot } from '../lab/paths.ts';
import { startTopology, type Topology } from '../lab/topology.ts';
import { until } from '../until.ts';
import { DesktopApp, type DesktopOptions } from './electron.ts';
import { describeElectron } from './electron-runtime.ts';
import { HARD_NAT, Screens } from './screens.ts';
import { VirtualScreen } from './xvfb.ts';

const PASSWORD = 'warm-otter-beacon-42';
const SCREENSHOTS = join(repositoryRoot, 'test-output/electron');

describeElectron('the window', () => {
  let topology: Topology;
  let server: RendezvousServer;
  let screen: VirtualScreen;
  let app: DesktopApp;
  const namespace = (site: string): Namespace => topology.site(site).hosts[0]!.namespace;
  const start = async (options: Partial<DesktopOptions> = {}) => {
    app = await DesktopApp.start({ namespace: namespace('desk'), display: screen.display, ...options });
  };
  const shot = async (page: Page, name: string) => await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });

  beforeAll(async () => {
    topology = await startTopology({
      sites: ['desk', 'ann'].map((name) => ({ name, nat: 'port-restricted' as const })),
    });
    server = await RendezvousServer.start(topology.lab, topology.server);
    screen = await VirtualScreen.start();
    await mkdir(SCREENSHOTS, { recursive: true });
  });

  afterEach(async () => {
    await app?.stop();
  });

  afterAll(async () => {
    await server?.stop();
    await screen?.stop();
    await topology?.close();
  });

  it('takes a person from the first screen into a room, to a direct friend, and out again', async () => {
    await start();
    const page = await app.page();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(String(error)));
    const screens = new Screens(page);
    await screens.outside();
    await shot(page, 'first');
    await screens.enter({ nick: 'desk', room: 'lan party', password: PASSWORD, server: server.url, create: true });
    await screens.inRoom('lan party');
    const ann = await Member.start(topology.lab, namespace('ann'), {
      nick: 'ann',
      room: 'lan party',
      password: PASSWORD,
      servers: [server.url],
    });
    try {
      await screens.memberIs('ann', 'Direct');
      await shot(page, 'room');
      await screens.toggle(HARD_NAT);
      await app.waitFor('hard NAT off', ({ snapshot }) => !snapshot.settings.hardNat);
      await screens.switchIs(HARD_NAT, false);
      await screens.leaveButton.click();
      await app.waitFor('left', ({ connection }) => connection.state === 'idle');
      await ann.waitFor('alone', ({ peers }) => peers.every(({ state }) => state !== 'connected'));
    } finally {
      await ann.stop();
    }
    expect(problems).toEqual([]);
  });

  it('says that a password is wrong', async () => {
    const ann = await Member.start(topology.lab, namespace('ann'), {
      nick: 'ann',
      room: 'locked',
      password: PASSWORD,
      servers: [server.url],
      create: true,
    });
    try {
      await ann.joined();
      await start();
      const page = await app.page();
      await new Screens(page).enter({
        nick: 'desk',
        room: 'locked',
        password: 'not-the-password',
        server: server.url,
        create: false,
      });
      await page.getByText('Wrong password', { exact: true }).waitFor();
      await shot(page, 'wrong-password');
    } finally {
      await ann.stop();
    }
  });

  it('asks before it follows a link that started it, and joins at a yes', async () => {
    const ann = await Member.start(topology.lab, namespace('ann'), {
      nick: 'ann',
      room: 'invited',
      password: PASSWORD,
      servers: [server.url],
      create: true,
    });
    try {
      await ann.joined();
      const link = encodeInvite({ name: 'invited', password: PASSWORD, servers: [server.url] });
      await start({ args: ['--', link] });
      const page = await app.page();
      await app.command({ type: 'prefer', change: { nick: 'desk' } });
      const dialog = page.getByRole('dialog');
      await dialog.getByText('invited').first().waitFor();
      await shot(page, 'invitation');
      expect((await app.state()).connection.state).toBe('idle');
      await dialog.getByRole('button', { name: /join/i }).click();
      const screens = new Screens(page);
      await screens.inRoom('invited');
      await screens.memberIs('ann', 'Direct');
    } finally {
      await ann.stop();
    }
  });

  it('stays away when it starts with the session, until it is asked for', async () => {
    await start({ args: ['--hidden'] });
    const windows = () => app.electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().length);
    expect(await windows()).toBe(0);
    await app.electron.evaluate(({ app: electronApp }) => void electronApp.emit('second-instance', {}, [], '', {}));
    await new Screens(await app.page()).outside();
    expect(await windows()).toBe(1);
  });

  it('starts with the session when it is asked to, and no longer when it is not', async () => {
    await start();
    const entry = join(app.home, '.config/autostart/warren.desktop');
    expect(await app.command({ type: 'prefer', change: { autostart: true } })).toMatchObject({ ok: true });
    expect(await readFile(entry, 'utf8')).toMatch(/^Exec=.*electron.*"--hidden"$/m);
    expect(await app.command({ type: 'prefer', change: { autostart: false } })).toMatchObject({ ok: true });
    expect(existsSync(entry)).toBe(false);
  });

  it('hosts the server of a room itself', async () => {
    await start();
    await app.command({
      type: 'join',
      room: 'hosted',
      password: PASSWORD,
      nick: 'desk',
      server: { kind: 'host' },
      create: true,
    });
    const { hosting } = await app.waitFor('a hosted room', (state) => state.snapshot.state === 'joined');
    expect(hosting.state).toBe('on');
    await new Screens(await app.page()).inRoom('hosted');
  });

  it('saves a diagnostics bundle, and no other file', async () => {
    await start();
    const page = await app.page();
    const path = join(app.stateDir, 'bundle.json');
    await app.electron.evaluate(({ BrowserWindow }, target) => {
      const { session } = BrowserWindow.getAllWindows()[0]!.webContents;
      session.on('will-download', (event, item) => {
        if (!event.defaultPrevented) item.setSavePath(target);
      });
    }, path);
    await page.evaluate(() => {
      const link = document.createElement('a');
      link.href = 'app://warren/index.html';
      link.download = 'page.html';
      document.body.append(link);
      link.click();
      link.remove();
    });
    await page.getByRole('button', { name: /settings/i }).click();
    await page.getByRole('button', { name: /diagnostics/i }).click();
    await until('the bundle is there', async () => {
      if (!existsSync(path)) return false;
      return (await readFile(path, 'utf8')).trim().endsWith('}');
    });
    expect(JSON.parse(await readFile(path, 'utf8'))).toBeTypeOf('object');
  });
});
