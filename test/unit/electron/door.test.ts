/** What comes from outside: command line, links, IPC, requests, permissions. */
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answer } from '../../../electron/main/answer.ts';
import { APP_ORIGIN, APP_PAGE, CONTENT_SECURITY_POLICY, requestedFile } from '../../../electron/main/app-protocol.ts';
import { parseArguments } from '../../../electron/main/argv.ts';
import { mayLoad, mayUse } from '../../../electron/main/security.ts';
import { isTrustedSender } from '../../../electron/main/sender.ts';
import { WarrenError } from '../../../protocol/errors.ts';

describe('the command line', () => {
  const link = 'warren://join#v=1&n=YQ&p=Yg&s=d3M6Ly9h';

  it('has options before the two dashes and a link after them', () => {
    expect(parseArguments(['--state-dir=/tmp/a', '--hidden', '--', link])).toEqual({
      stateDir: '/tmp/a',
      link,
      hidden: true,
    });
    expect(parseArguments([])).toEqual({ stateDir: null, link: null, hidden: false });
  });

  it.for([
    ['a link that is not behind the dashes', [link]],
    ['another scheme', ['--', 'http://example.com/']],
    ['options behind the dashes', ['--', '--state-dir=/etc', '--hidden']],
    ['an option beside the link', ['--', link, '--state-dir=/etc']],
    ['an endless link', ['--', `${link}${'a'.repeat(2_000)}`]],
  ] as const)('does nothing for %s', ([, argv]) => {
    expect(parseArguments(argv)).toEqual({ stateDir: null, link: null, hidden: false });
  });
});

describe('a message of the window', () => {
  const good = { frameUrl: APP_PAGE, top: true, contents: 7 };

  it('is heard from the top frame of our page in our window only', () => {
    expect(isTrustedSender(good, 7, APP_PAGE)).toBe(true);
    expect(isTrustedSender({ ...good, frameUrl: `${APP_PAGE}#room` }, 7, APP_PAGE)).toBe(true);
    for (const change of [
      { top: false },
      { contents: 8 },
      { frameUrl: null },
      { frameUrl: 'file:///index.html' },
      { frameUrl: `${APP_ORIGIN}.evil.example/index.html` },
      { frameUrl: `${APP_PAGE}?a` },
    ]) {
      expect(isTrustedSender({ ...good, ...change }, 7, APP_PAGE), JSON.stringify(change)).toBe(false);
    }
    expect(isTrustedSender(good, null, APP_PAGE)).toBe(false);
  });

  it('reaches the app only as a command of the contract', async () => {
    await fc.assert(
      fc.asyncProperty(fc.anything({ withBigInt: true, withTypedArray: true }), async (message) => {
        const seen: unknown[] = [];
        const { ok } = await answer(message, (command) => Promise.resolve(seen.push(command)));
        expect(ok).toBe(seen.length === 1);
      }),
    );
    expect(await answer({ type: 'leave', extra: 1 }, (command) => Promise.resolve(command))).toEqual({
      ok: true,
      result: { type: 'leave' },
    });
  });

  it('is refused with a closed code, and with no words of an unexpected error', async () => {
    const refuse = (error: Error) =>
      answer({ type: 'leave' }, async () => {
        throw error;
      });
    expect(await refuse(new WarrenError('not-joined', 'no room'))).toEqual({
      ok: false,
      code: 'not-joined',
      message: 'no room',
    });
    expect(await refuse(new Error('/home/ann/secret'))).toEqual({ ok: false, code: 'internal' });
  });
});

describe('the protocol of the page', () => {
  const folder = join('/srv', 'renderer');
  const file = (url: string, method = 'GET') => requestedFile(folder, method, url);

  it('serves files of its folder', () => {
    expect(file(APP_PAGE)).toBe(join(folder, 'index.html'));
    expect(file(`${APP_ORIGIN}/assets/index-a1_B2.js`)).toBe(join(folder, 'assets', 'index-a1_B2.js'));
  });

  it.for([
    `${APP_ORIGIN}/`,
    `${APP_ORIGIN}/..%2fpackage.json`,
    `${APP_ORIGIN}/..\\package.json`,
    `${APP_ORIGIN}/.hidden.js`,
    `${APP_ORIGIN}//etc/passwd.js`,
    `${APP_ORIGIN}/C:/boot.js`,
    `${APP_ORIGIN}/index.html%00.js`,
    `${APP_ORIGIN}/main.cjs`,
    'app://evil/index.html',
    'file:///index.html',
    'nonsense',
  ])('does not serve %s', (url) => {
    expect(file(url)).toBe(null);
  });

  it('takes the way to a parent folder for one inside', () => {
    for (const way of ['../', '%2e%2e/', 'assets/../../']) {
      expect(file(`${APP_ORIGIN}/${way}package.json`)).toBe(join(folder, 'package.json'));
    }
  });

  it('never leaves its folder', () => {
    const part = fc.constantFrom('..', '%2e', '.', '/', '\\', '%2f', 'a', '.js', ':', '\0', '?', '#', '@');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        const path = file(`${APP_ORIGIN}/${parts.join('')}`);
        expect(path === null || path.startsWith(`${folder}/`)).toBe(true);
      }),
    );
    expect(file(APP_PAGE, 'POST')).toBe(null);
  });

  it('comes with a policy that lets nothing in', () => {
    expect(CONTENT_SECURITY_POLICY).toContain("default-src 'none'");
    expect(CONTENT_SECURITY_POLICY).not.toMatch(/unsafe|\*|https?:/);
  });
});

describe('permissions and requests', () => {
  it('are the clipboard for our page, and its own files', () => {
    expect(mayUse('clipboard-read', APP_ORIGIN)).toBe(true);
    expect(mayUse('clipboard-read', 'https://evil.example')).toBe(false);
    expect(mayUse('clipboard-read', null)).toBe(false);
    for (const other of ['media', 'geolocation', 'notifications', 'openExternal', 'fullscreen', 'hid']) {
      expect(mayUse(other, APP_ORIGIN), other).toBe(false);
    }
    expect(mayLoad(APP_PAGE, false)).toBe(true);
    for (const url of [
      'https://a.example/',
      'file:///etc/passwd',
      'ws://127.0.0.1:1/',
      'devtools://devtools/x',
      'app://warren.evil/',
    ]) {
      expect(mayLoad(url, false), url).toBe(false);
    }
  });
});
