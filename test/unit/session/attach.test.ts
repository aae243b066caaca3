import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ControlServer, startControlServer } from '../../../engine/net/control/server.ts';
import { processIdentity } from '../../../engine/net/state/platform.ts';
import { attachLink, type EngineLink } from '../../../engine/session/link.ts';
import { claimSlot } from '../../../engine/session/slot.ts';
import type { Snapshot } from '../../../protocol/app.ts';
import { until } from '../../until.ts';
import { snapshot } from '../cli/snapshots.ts';
import { EngineDouble } from '../control/engine-double.ts';

/** The lock is held by another process, the control socket answered here. */
let directory: string;
let holder: ChildProcess;
let engine: EngineDouble;
let server: ControlServer;
let link: EngineLink | null = null;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'warren-attach-'));
  holder = spawn('sleep', ['600']);
  await once(holder, 'spawn');
  const pid = holder.pid as number;
  const control = join(directory, 'control');
  writeFileSync(join(directory, 'lock'), JSON.stringify({ pid, identity: processIdentity(pid), control }));
  engine = new EngineDouble(snapshot());
  server = await startControlServer({ path: control, directory, temporary: false }, engine);
});
afterEach(async () => {
  await link?.close();
  link = null;
  holder.kill('SIGKILL');
  await server.close();
  rmSync(directory, { recursive: true, force: true });
});

async function attached(): Promise<EngineLink> {
  link = await attachLink(directory);
  if (link === null) throw new Error('nothing to attach to');
  return link;
}

it('follows its snapshots and passes commands on', async () => {
  const seen: Snapshot['state'][] = [];
  (await attached()).subscribe(({ state }) => seen.push(state));
  await until('the present one', () => seen.length === 1);
  engine.publish(snapshot({ state: 'reconnecting' }));
  await until('the next one', () => seen.length === 2);
  expect(seen).toEqual(['joined', 'reconnecting']);
  engine.answer = (command) => Promise.resolve(command.type);
  await expect(link?.command({ type: 'chat', text: 'hi' })).resolves.toBe('chat');
  await expect(link?.command({ type: 'ping', peer: 'bob', timeoutMs: 100 })).resolves.toBe('ping');
});

it('ends quietly when the engine’s process does', async () => {
  const { done } = await attached();
  await server.close();
  await expect(done).resolves.toMatchObject({ code: null });
});

it('ends it by `down`, and waits until its place is free', async () => {
  const found = await attached();
  engine.answer = (command) => {
    if (command.type === 'down') holder.kill('SIGKILL');
    return Promise.resolve(null);
  };
  await found.end();
  expect(engine.asked).toEqual([{ type: 'down' }]);
  const slot = claimSlot(directory);
  await slot.release();
});

it('leaves it alone when only the app closes', async () => {
  await (await attached()).close();
  expect(engine.asked).toEqual([]);
});

it('is nothing when nobody holds the lock, or whoever does listens no more', async () => {
  await server.close();
  await expect(attachLink(directory)).resolves.toBeNull();
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  await expect(attachLink(directory)).resolves.toBeNull();
});
