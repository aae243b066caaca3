import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Script } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CryptoRequest } from '../../../engine/core/room/contract.ts';

const root = new URL('../../../', import.meta.url);
const WORKER = new URL('build/bundle/code/worker.js', root);
if (!existsSync(WORKER)) throw new Error('not built: run npm run build before these tests');

/** What every compilation of the command's own room, and of those that it may import, touches. */
function compilations(): string[] {
  const { references } = JSON.parse(readFileSync(new URL('cli/tsconfig.json', root), 'utf8')) as {
    references: { path: string }[];
  };
  const rooms = ['cli', ...references.map(({ path }) => path.replace('../', ''))];
  return rooms.map((room) => (room === 'native' ? 'native/dist/.tsbuildinfo' : `build/${room}/.tsbuildinfo`));
}

const SOURCES = [...compilations(), 'node_modules/.package-lock.json'];
const BUNDLE = 'build/bundle/warren.js';
/** Seconds: when the bundle of the checkout below was made. */
const BUNDLED_AT = 1_000_000;

describe('the launcher', () => {
  let checkout: string;

  function write(path: string, text: string, seconds: number): void {
    const file = join(checkout, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    utimesSync(file, seconds, seconds);
  }

  beforeEach(() => {
    checkout = mkdtempSync(join(tmpdir(), 'warren-bundle-'));
    write('package.json', '{"type":"module"}', BUNDLED_AT);
    write('build/cli/main.js', 'console.log("tree")', BUNDLED_AT);
    write(BUNDLE, 'console.log("bundle")', BUNDLED_AT);
    for (const path of SOURCES) write(path, '', BUNDLED_AT - 1);
    mkdirSync(join(checkout, 'cli'));
    copyFileSync(new URL('cli/warren', root), join(checkout, 'cli/warren'));
  });
  afterEach(() => rmSync(checkout, { recursive: true, force: true }));

  function started(): string {
    const { stdout, stderr } = spawnSync(process.execPath, [join(checkout, 'cli/warren')], { encoding: 'utf8' });
    expect(stderr).toBe('');
    return stdout.trim();
  }

  it('runs the bundle while it is the youngest', () => {
    expect(started()).toBe('bundle');
  });

  it.each(SOURCES)('runs the build tree once %s is as young', (path) => {
    write(path, '', BUNDLED_AT);
    expect(started()).toBe('tree');
  });

  it('runs the build tree where a compilation left no trace, or nothing was bundled', () => {
    rmSync(join(checkout, SOURCES[0]!));
    expect(started()).toBe('tree');
    write(SOURCES[0]!, '', BUNDLED_AT - 1);
    rmSync(join(checkout, BUNDLE));
    expect(started()).toBe('tree');
  });
});

it('the bundle has compiled code that fits this Node', () => {
  const code = new URL('build/bundle/code/', root);
  const script = readdirSync(code).find((name) => /^command-.*\.js$/.test(name)) ?? '';
  const cachedData = readFileSync(new URL(script.replace(/js$/, 'cache'), code));
  expect(new Script(readFileSync(new URL(script, code), 'latin1'), { cachedData }).cachedDataRejected).toBe(false);
});

// An engine whose thread does not start works on, slowly: only this test would tell.
it("the bundle's crypto thread answers", async () => {
  const worker = new Worker(WORKER);
  const bytes = new Uint8Array(32);
  const random = new Uint8Array(64).fill(7);
  const request: CryptoRequest = { kind: 'cpace-start', prs: bytes, ci: bytes, sid: bytes, random };
  worker.postMessage({ id: 1, request });
  const [answer] = await once(worker, 'message');
  await worker.terminate();
  expect(answer).toMatchObject({ id: 1, result: { kind: 'cpace-start', share: expect.any(Uint8Array) } });
});
