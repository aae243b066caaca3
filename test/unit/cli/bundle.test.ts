import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CryptoRequest } from '../../../engine/core/room/contract.ts';

const root = new URL('../../../', import.meta.url);
const WORKER = new URL('build/bundle/chunks/worker.js', root);
if (!existsSync(WORKER)) throw new Error('not built: run npm run build before these tests');

/** The command's own room and those that it may import; `native` is a package, which no bundle holds. */
function bundledRooms(): string[] {
  const { references } = JSON.parse(readFileSync(new URL('cli/tsconfig.json', root), 'utf8')) as {
    references: { path: string }[];
  };
  return ['cli', ...references.map(({ path }) => path.replace('../', '')).filter((room) => room !== 'native')];
}

const SOURCES = [...bundledRooms().map((room) => `build/${room}/.tsbuildinfo`), 'node_modules/.package-lock.json'];
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
