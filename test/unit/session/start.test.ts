/** The real place and the real start of an engine, with native code that fails before anything leaves this machine. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { lockHolder } from '../../../engine/net/state/lock.ts';
import type { NativePort } from '../../../engine/net/host.ts';
import type { AppHost } from '../../../engine/session/contract.ts';
import { createAppHost } from '../../../engine/session/host.ts';
import { until } from '../../until.ts';
import { joining } from './harness.ts';

let stateDir: string;
let app: AppHost;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'warren-start-'));
});
afterEach(async () => {
  await app.close();
  rmSync(stateDir, { recursive: true, force: true });
});

/** Fails as node-wireguard does. */
function failing(code: string): NativePort {
  const error = () => Object.assign(new Error(`native: ${code}`), { code });
  function Device(): never {
    throw error();
  }
  return { openTun: () => Promise.reject(error()), Device } as unknown as NativePort;
}

function start(native: NativePort, tun: boolean): void {
  app = createAppHost({
    stateDir,
    about: { version: '1', platform: 'linux', shell: 'browser', locale: 'en', servers: [] },
    loadNative: () => Promise.resolve(native),
    startServer: () => Promise.reject(new Error('not asked for')),
    tun,
    log: () => {},
  });
}

async function failsWith(code: string): Promise<void> {
  await until('failed', () => app.state().connection.state === 'failed');
  expect(app.state().connection).toMatchObject({ code });
  expect(app.state().rooms).toEqual([]);
  expect(lockHolder(stateDir)).toBeNull();
  expect(existsSync(join(stateDir, 'control'))).toBe(false);
}

it.each([
  ['no-rights', 'no-rights', true],
  ['helper-failed', 'no-rights', true],
  ['name-taken', 'name-taken', true],
  ['addon-missing', 'unsupported', true],
  ['port-taken', 'port-taken', false],
])('native code that says %s: failed with %s, and nothing is left behind', async (native, code, tun) => {
  start(failing(native), tun);
  await app.command(joining());
  await failsWith(code);
});

it('a machine key that is damaged: failed with disk', async () => {
  writeFileSync(join(stateDir, 'machine.key'), 'short');
  start(failing('no-rights'), true);
  await app.command(joining());
  await failsWith('disk');
});

it.each([
  ['a room that was never joined, without a password', { password: null }],
  ['a nickname of spaces', { nick: '   ' }],
])('%s: failed with invalid', async (_, change) => {
  start(failing('port-taken'), false);
  await app.command(joining(change));
  await failsWith('invalid');
});
