/** What a page in the window cannot do, whoever wrote it: asked in the page itself, and seen from the main process. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AppCommand, CommandAnswer } from '../../protocol/face.ts';
import { Lab } from '../lab/netns.ts';
import { repositoryRoot } from '../lab/paths.ts';
import { DesktopApp } from './electron.ts';
import { describeElectron } from './electron-runtime.ts';
import { VirtualScreen } from './xvfb.ts';

const PAGE = 'app://warren/index.html';

describeElectron('a page in the window', () => {
  let lab: Lab;
  let screen: VirtualScreen;
  let app: DesktopApp;

  beforeAll(async () => {
    lab = Lab.open();
    screen = await VirtualScreen.start();
    app = await DesktopApp.start({ namespace: await lab.namespace('desk'), display: screen.display });
    await app.page();
  });

  afterAll(async () => {
    await app?.stop();
    await screen?.stop();
    await lab?.close();
  });

  /** URLs of all contents that exist, as the main process sees them. */
  const open = () =>
    app.electron.evaluate(({ webContents }) => webContents.getAllWebContents().map((contents) => contents.getURL()));

  it('has nothing of Node, and one object of ours', async () => {
    const page = await app.page();
    const globals = await page.evaluate(() =>
      ['require', 'process', 'module', 'Buffer', 'global', 'electron'].filter((name) => name in globalThis),
    );
    expect(globals).toEqual([]);
    expect(await page.evaluate(() => Object.keys(window.warren).sort())).toEqual([
      'command',
      'onLink',
      'pathOf',
      'subscribe',
    ]);
    const preferences = await app.electron.evaluate(({ BrowserWindow }) => {
      const contents = BrowserWindow.getAllWindows()[0]?.webContents as unknown as {
        getLastWebPreferences(): Record<string, unknown>;
      };
      return contents.getLastWebPreferences();
    });
    expect(preferences).toMatchObject({
      contextIsolation: true,
      nodeIntegration: false,
      sandbox: true,
      webSecurity: true,
      webviewTag: false,
    });
  });

  it('is answered with a code for whatever is no command', async () => {
    const page = await app.page();
    const answers = await page.evaluate(async () => {
      const hostile: unknown[] = [
        null,
        undefined,
        '',
        7,
        Number.NaN,
        [],
        {},
        { type: 'constructor' },
        { type: '__proto__' },
        { type: ['leave'] },
        { type: 'join' },
        { type: 'join', room: 'r', password: 'p', nick: 'n', server: { kind: 'address', urls: [] }, create: true },
        { type: 'join', room: 'x'.repeat(10_000), password: 'p', nick: 'n', server: { kind: 'host' }, create: true },
        { type: 'chat', text: 'x'.repeat(1_000_000) },
        { type: 'open-invite', link: 'warren://join#v=1' },
        { type: 'open-invite', link: 'http://example.com' },
        { type: 'set', setting: 'relay-only', on: true },
        { type: 'set', setting: 'hard-nat', on: 'yes' },
        { type: 'window', mode: 'fullscreen' },
        { type: 'show-file', id: '/etc/passwd' },
        { type: 'show-file', id: '0'.repeat(32), path: '/etc/passwd' },
        { type: 'prefer', change: { language: '../../etc' } },
        new Map([['type', 'leave']]),
        new Uint8Array(100_000),
      ];
      return await Promise.all(hostile.map((message) => window.warren.command(message as AppCommand)));
    });
    expect(new Set(answers.map((answer: CommandAnswer) => (answer.ok ? 'ok' : answer.code)))).toEqual(
      new Set(['invalid']),
    );
    // What cannot be copied between processes does not even leave the page.
    const uncopied = await page.evaluate(() =>
      window.warren.command({ type: 'leave', extra: () => 1 } as AppCommand).catch(() => 'refused'),
    );
    expect(uncopied).not.toMatchObject({ ok: true });
    expect((await app.state()).connection).toEqual({ state: 'idle' });
  });

  it('runs no script that is not a file of ours', async () => {
    const page = await app.page();
    const ran = await page.evaluate(async () => {
      const script = document.createElement('script');
      script.textContent = 'globalThis.inlineRan = true';
      document.head.append(script);
      const handler = document.createElement('img');
      handler.setAttribute('onerror', 'globalThis.inlineRan = true');
      handler.src = 'app://warren/none.png';
      document.body.append(handler);
      await new Promise((resolve) => {
        handler.addEventListener('error', resolve);
      });
      let evaluated = true;
      try {
        // oxlint-disable-next-line typescript/no-implied-eval -- this is what must not work
        new Function('return 1')();
      } catch {
        evaluated = false;
      }
      return { inline: 'inlineRan' in globalThis, evaluated };
    });
    expect(ran).toEqual({ inline: false, evaluated: false });
  });

  it('reaches nothing outside', async () => {
    const page = await app.page();
    const reached = await page.evaluate(async () => {
      const tries = ['http://127.0.0.1:1/', 'https://example.com/', 'file:///etc/passwd', 'app://warren/index.html'];
      const fetched = await Promise.all(
        tries.map((url) =>
          fetch(url).then(
            () => url,
            () => null,
          ),
        ),
      );
      let socket = 'none';
      try {
        const opened = new WebSocket('ws://127.0.0.1:1/');
        socket = await new Promise((resolve) => {
          opened.addEventListener('open', () => resolve('open'));
          opened.addEventListener('error', () => resolve('none'));
        });
      } catch {
        // A policy that throws is as good.
      }
      return { fetched: fetched.filter((url) => url !== null), socket };
    });
    expect(reached).toEqual({ fetched: [], socket: 'none' });
  });

  it.for(['https://example.com/', 'file:///etc/passwd', 'app://other/index.html', 'javascript:globalThis.ran=1'])(
    'does not go to %s',
    async (url) => {
      const page = await app.page();
      const where = await page.evaluate(async (target) => {
        const link = document.createElement('a');
        link.href = target;
        document.body.append(link);
        link.click();
        location.href = target;
        // A navigation that was allowed would have begun by the time that the main process has answered.
        await window.warren.command({ type: 'leave' });
        return { href: location.href, ran: 'ran' in globalThis };
      }, url);
      expect(where.href.split('#')[0]).toBe(PAGE);
      expect(where.ran).toBe(false);
      expect(await open()).toEqual([expect.stringContaining(PAGE)]);
    },
  );

  it('opens no window and embeds no page', async () => {
    const page = await app.page();
    const opened = await page.evaluate(() => [
      window.open('https://example.com/') === null,
      window.open('app://warren/index.html') === null,
      window.open('about:blank') === null,
    ]);
    expect(opened).toEqual([true, true, true]);
    await page.evaluate(async () => {
      const webview = document.createElement('webview');
      webview.setAttribute('src', 'https://example.com/');
      document.body.append(webview);
      const frame = document.createElement('iframe');
      frame.src = 'app://warren/index.html';
      document.body.append(frame);
      await new Promise((resolve) => {
        frame.addEventListener('load', resolve);
      });
    });
    expect(await open()).toEqual([expect.stringContaining(PAGE)]);
    // The frame was refused by the policy: what is in it is no page of ours, and has no way to the app.
    const inside = page.frames().filter((frame) => frame !== page.mainFrame());
    for (const frame of inside) expect(await frame.evaluate(() => 'warren' in window)).toBe(false);
  });

  it('is not heard from a frame or from another window', async () => {
    const preload = join(repositoryRoot, 'build/app/preload.cjs');
    const answers = await app.electron.evaluate(async ({ BrowserWindow, session }, ours) => {
      const stranger = new BrowserWindow({
        show: false,
        webPreferences: { preload: ours, sandbox: true, session: session.fromPartition('warren') },
      });
      await stranger.loadURL('app://warren/index.html');
      const answer: unknown = await stranger.webContents.executeJavaScript('window.warren.command({ type: "leave" })');
      stranger.destroy();
      return answer;
    }, preload);
    expect(answers).toEqual({ ok: false, code: 'invalid' });
  });

  it('is given the clipboard and no other permission', async () => {
    const page = await app.page();
    const states = await page.evaluate(async () => {
      const names = ['camera', 'microphone', 'geolocation', 'notifications', 'midi', 'clipboard-read'];
      const found = await Promise.all(
        names.map(async (name) => [name, (await navigator.permissions.query({ name: name as PermissionName })).state]),
      );
      return Object.fromEntries(found) as Record<string, string>;
    });
    expect(states).toEqual({
      camera: 'denied',
      microphone: 'denied',
      geolocation: 'denied',
      notifications: 'denied',
      midi: 'denied',
      'clipboard-read': 'granted',
    });
    const position = await page.evaluate(
      () =>
        new Promise((resolve) => {
          navigator.geolocation.getCurrentPosition(
            () => resolve('found'),
            ({ code }) => resolve(code),
          );
        }),
    );
    expect(position).toBe(1);
  });

  it('leaves nothing on the disk', async () => {
    const page = await app.page();
    await page.evaluate(() => localStorage.setItem('secret', 'a-word-that-nobody-else-writes'));
    const path = await app.electron.evaluate(({ BrowserWindow }) => {
      const { session } = BrowserWindow.getAllWindows()[0]?.webContents ?? {};
      return { storage: session?.getStoragePath() ?? null, persistent: session?.isPersistent() };
    });
    expect(path).toEqual({ storage: null, persistent: false });
  });

  it('comes back when its process dies', async () => {
    const client = await app.electron.evaluate(async ({ BrowserWindow }) => {
      const contents = BrowserWindow.getAllWindows()[0]?.webContents;
      if (contents === undefined) return 'no window';
      const loaded = new Promise((resolve) => {
        contents.once('did-finish-load', () => resolve(null));
      });
      contents.forcefullyCrashRenderer();
      await loaded;
      return (await contents.executeJavaScript('typeof window.warren')) as string;
    });
    expect(client).toBe('object');
  });
});
