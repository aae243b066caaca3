import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acquireLock, lockHolder, readLock } from '../../../engine/net/state/lock.ts';
import { defaultStateDir, processIdentity } from '../../../engine/net/state/platform.ts';

const RACERS = 6;
const RACES = 100;

let directory: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'warren-lock-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

/** A process that only lives. */
async function sleeper(): Promise<ChildProcess & { pid: number }> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6); console.log("up")'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await once(child.stdout!, 'data');
  return child as ChildProcess & { pid: number };
}

function writeLock(record: unknown): void {
  writeFileSync(join(directory, 'lock'), typeof record === 'string' ? record : JSON.stringify(record));
}

const running = (pid: number) =>
  expect.objectContaining({ code: 'already-running', message: expect.stringContaining(String(pid)) });

describe('the lock of a state directory', () => {
  it('is held by one engine, which it names, and is free again after its release', () => {
    const lock = acquireLock(directory, '/run/x');
    expect(() => acquireLock(directory, '/run/y')).toThrowError(running(process.pid));
    expect(lockHolder(directory)).toEqual({ pid: process.pid, identity: expect.any(String), control: '/run/x' });
    expect(statSync(join(directory, 'lock')).mode & 0o777).toBe(0o600);
    lock.release();
    lock.release();
    expect(readLock(directory)).toBeNull();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('of a living process is respected', async () => {
    const { pid } = await sleeper();
    writeLock({ pid, identity: processIdentity(pid), control: '/run/x' });
    expect(() => acquireLock(directory, '/run/y')).toThrowError(running(pid));
  });

  it('is taken over after kill -9', async () => {
    const child = await sleeper();
    writeLock({ pid: child.pid, identity: processIdentity(child.pid), control: '/run/x' });
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(lockHolder(directory)).toBeNull();
    acquireLock(directory, '/run/y');
    expect(lockHolder(directory)?.pid).toBe(process.pid);
  });

  it.runIf(process.platform === 'linux')('is taken over when its pid belongs to a later process', async () => {
    const { pid } = await sleeper();
    writeLock({ pid, identity: 'another boot:1', control: '/run/x' });
    acquireLock(directory, '/run/y');
    expect(lockHolder(directory)?.control).toBe('/run/y');
  });

  it.each(['', 'not json', '{"pid":"1"}', '[]', 'null'])('that is garbage (%j) is replaced', (content) => {
    writeLock(content);
    acquireLock(directory, '/run/y');
    expect(lockHolder(directory)?.pid).toBe(process.pid);
  });

  it('is not removed by one who lost it', () => {
    const lock = acquireLock(directory, '/run/x');
    const other = { pid: 1, identity: 'x', control: '/run/z' };
    writeLock(other);
    lock.release();
    expect(JSON.parse(readFileSync(join(directory, 'lock'), 'utf8'))).toEqual(other);
  });

  it('in a place that cannot be used is a disk error with the reason', () => {
    writeFileSync(join(directory, 'file'), '');
    expect(() => acquireLock(join(directory, 'file', 'state'), '/run/x')).toThrowError(
      expect.objectContaining({ code: 'disk', message: expect.stringContaining('not a directory') }),
    );
  });

  it('is taken over although who was about to take it over died', async () => {
    const stale = { pid: 2 ** 30, identity: 'gone', control: '/run/x' };
    writeLock(stale);
    for (const guard of ['lock.takeover', 'lock.takeover.takeover']) {
      writeFileSync(join(directory, guard), JSON.stringify(stale));
    }
    acquireLock(directory, '/run/y');
    expect(lockHolder(directory)?.pid).toBe(process.pid);
    expect(readdirSync(directory)).toEqual(['lock']);
  });

  it('is left to a living process that is about to take it over', async () => {
    const { pid } = await sleeper();
    writeLock({ pid: 2 ** 30, identity: 'gone', control: '/run/x' });
    const guard = { pid, identity: processIdentity(pid), control: '/run/z' };
    writeFileSync(join(directory, 'lock.takeover'), JSON.stringify(guard));
    expect(() => acquireLock(directory, '/run/y')).toThrowError(running(pid));
    expect(readdirSync(directory)).toEqual(['lock', 'lock.takeover']);
  });

  it('has one winner of many processes that find a stale one at the same moment, again and again', async () => {
    const module = new URL('../../../build/engine/net/state/lock.js', import.meta.url).href;
    const script = `
      const { acquireLock } = await import(${JSON.stringify(module)});
      process.stdin.setEncoding('utf8').on('data', (directory) => {
        try { acquireLock(directory, '/run/x'); console.log('won'); }
        catch (error) { console.log(error.code); }
      });
      process.stdin.on('end', () => process.exit());
      console.log('ready');`;
    const racers = Array.from({ length: RACERS }, () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      children.push(child);
      return child;
    });
    const answers = () =>
      Promise.all(racers.map((racer) => once(racer.stdout, 'data').then(([data]) => String(data).trim())));
    expect(new Set(await answers())).toEqual(new Set(['ready']));
    for (let round = 0; round < RACES; round++) {
      const place = join(directory, String(round));
      mkdirSync(place, { mode: 0o700 });
      writeFileSync(join(place, 'lock'), JSON.stringify({ pid: 2 ** 30, identity: 'gone', control: '/run/x' }));
      const outcome = answers();
      for (const racer of racers) racer.stdin.write(place);
      expect((await outcome).toSorted()).toEqual([...Array(RACERS - 1).fill('already-running'), 'won']);
      expect(readdirSync(place)).toEqual(['lock']);
    }
    for (const racer of racers) racer.stdin.end();
  });
});

describe('the default state directory', () => {
  it.each([
    ['linux', {}, '/home/p/.local/state/warren'],
    ['linux', { XDG_STATE_HOME: '/s' }, '/s/warren'],
    ['linux', { XDG_STATE_HOME: 'relative' }, '/home/p/.local/state/warren'],
    ['win32', { APPDATA: '/roaming' }, '/roaming/warren'],
  ] as const)('on %s with %j is %s', (platform, env, expected) => {
    expect(defaultStateDir(env, platform, '/home/p')).toBe(expected);
  });
});
