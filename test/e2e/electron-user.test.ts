/** The app of an ordinary user: in Chromium's sandbox, and with no right to make an interface. */
import { readlink } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Lab } from '../lab/netns.ts';
import { DesktopApp } from './electron.ts';
import { describeElectron } from './electron-runtime.ts';
import { VirtualScreen } from './xvfb.ts';

/** `nobody` on every Linux. */
const NOBODY = 65_534;

describeElectron('the app of an ordinary user', () => {
  let lab: Lab;
  let screen: VirtualScreen;
  let app: DesktopApp;

  beforeAll(async () => {
    lab = Lab.open();
    screen = await VirtualScreen.start();
    app = await DesktopApp.start({
      namespace: await lab.namespace('desk'),
      display: screen.display,
      user: NOBODY,
    });
    await app.page();
  });

  afterAll(async () => {
    await app?.stop();
    await screen?.stop();
    await lab?.close();
  });

  it('has its page in a sandbox', async () => {
    const page = await app.electron.evaluate(
      ({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.webContents.getOSProcessId() ?? 0,
    );
    const main = await app.pid();
    // Chromium puts it into namespaces of its own: without a network, seeing no process of others.
    for (const kind of ['user', 'net', 'pid']) {
      const [inside, outside] = await Promise.all([page, main].map((pid) => readlink(`/proc/${pid}/ns/${kind}`)));
      expect(inside, kind).not.toBe(outside);
    }
  });

  it('says that it may not make an interface, and goes on', async () => {
    await app.command({
      type: 'join',
      room: 'no rights',
      password: 'warm-otter-beacon-42',
      nick: 'desk',
      server: { kind: 'address', urls: ['ws://127.0.0.1:1'] },
      create: true,
    });
    const { connection } = await app.waitFor('a refusal', (state) => state.connection.state === 'failed');
    expect(connection).toMatchObject({ code: 'no-rights' });
    expect(await app.command({ type: 'dismiss' })).toMatchObject({ ok: true });
    await app.waitFor('the first screen', (state) => state.connection.state === 'idle');
  });
});
