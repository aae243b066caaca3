/** `warren doctor`: what on this machine would keep Warren from working, each with what to do about it. */
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../engine/net/clock.ts';
import { hasSystemNames } from '../../engine/net/names/system.ts';
import { createRendezvous } from '../../engine/net/rendezvous/client.ts';
import { privateDirectory, writeAtomic } from '../../engine/net/state/files.ts';
import { loadSettings, machineKey } from '../../engine/net/state/stores.ts';
import type { RendezvousConnection } from '../../engine/ports.ts';
import { type Snapshot, snapshot } from '../../protocol/app.ts';
import type { Io } from '../io.ts';
import { loadNative } from '../native.ts';
import { connectIfRunning, type StateOptions, stateDirOf } from '../state.ts';
import { printable } from '../view/printable.ts';
import { fit } from '../view/text.ts';
import { milliseconds } from '../view/words.ts';
import { checkDiscovery } from './doctor-discovery.ts';
import type { Finding } from './finding.ts';

export interface DoctorArguments extends StateOptions {
  server?: string[];
  caFile?: string;
  json?: boolean;
}

const OLDEST_NODE = [20, 17] as const;
const NAME_COLUMNS = 11;

/** Exit code 0 when nothing is bad. */
export async function doctor(asked: DoctorArguments, io: Io): Promise<number> {
  const stateDir = stateDirOf(asked);
  const checks: (() => Finding | Finding[] | Promise<Finding | Finding[]>)[] = [
    () => checkNode(process.versions.node),
    checkTunnel,
    () => checkState(stateDir),
    () => checkClock(Date.now()),
    () => checkEngine(stateDir),
    () => checkDiscovery(stateDir),
    () => checkNames(stateDir),
    ...(asked.server ?? []).map((url) => () => checkServer(url, asked.caFile)),
  ];
  let bad = 0;
  for (const check of checks) {
    for (const finding of [await check()].flat()) {
      if (finding.result === 'bad') bad++;
      io.out(asked.json ? JSON.stringify(finding) : line(finding));
    }
  }
  return bad === 0 ? 0 : 1;
}

function line({ check, result, detail }: Finding): string {
  return `${fit(result, 4)}  ${fit(check, NAME_COLUMNS)}  ${printable(detail)}`;
}

export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const fine = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
  const detail = fine ? `version ${version}` : `version ${version} is too old: ${OLDEST_NODE.join('.')} is needed`;
  return { check: 'node', result: fine ? 'ok' : 'bad', detail };
}

/** Opens an interface for a moment: the only answer that covers device node, rights, helper and kernel at once. */
async function checkTunnel(): Promise<Finding> {
  const check = 'tunnel';
  try {
    const { openTun } = await loadNative();
    const tun = await openTun({});
    await tun.close();
    return { check, result: 'ok', detail: 'a network interface can be made' };
  } catch (error) {
    return { check, result: 'bad', detail: (error as Error).message };
  }
}

function checkState(stateDir: string): Finding {
  const check = 'state';
  try {
    privateDirectory(stateDir);
    const probe = join(stateDir, 'doctor');
    writeAtomic(probe, 'written and removed by `warren doctor`\n');
    rmSync(probe);
    machineKey(stateDir);
    loadSettings(stateDir);
    return { check, result: 'ok', detail: `${stateDir} can be written` };
  } catch (error) {
    return { check, result: 'bad', detail: (error as Error).message };
  }
}

/** Certificates are judged by the clock. This program cannot be younger than now. */
export function checkClock(now: number): Finding {
  const built = statSync(new URL(import.meta.url)).mtimeMs;
  const date = new Date(now).toISOString();
  return now < built
    ? { check: 'clock', result: 'bad', detail: `it says ${date}, before this program was built: set it` }
    : { check: 'clock', result: 'ok', detail: date };
}

async function checkEngine(stateDir: string): Promise<Finding> {
  const check = 'engine';
  try {
    const client = await connectIfRunning(stateDir);
    client?.close();
    return { check, result: client ? 'ok' : 'note', detail: client ? 'running' : 'not running' };
  } catch (error) {
    return { check, result: 'bad', detail: (error as Error).message };
  }
}

const NAMES_WORDS: Record<NonNullable<Snapshot['names']>['state'], string> = {
  system: 'every program here finds nick.warren',
  multicast: 'programs find members by LLMNR (nick) and mDNS (nick.local) alone: the system cannot be told of others',
  off: 'names are not answered here: use the addresses',
};

/** How members' names are found; what is possible here while no engine runs. */
async function checkNames(stateDir: string): Promise<Finding> {
  const check = 'names';
  const client = await connectIfRunning(stateDir).catch(() => null);
  if (client === null) {
    const told = hasSystemNames();
    const detail = told ? 'the system will be told where nick.warren is found' : NAMES_WORDS.multicast;
    return { check, result: told ? 'ok' : 'note', detail };
  }
  try {
    const { names } = snapshot.parse(await client.request({ type: 'status' }));
    const state = names?.state ?? 'off';
    const where = state === 'multicast' && names?.server ? `; nick.warren is answered at ${names.server}` : '';
    return { check, result: state === 'system' ? 'ok' : 'note', detail: `${NAMES_WORDS[state]}${where}` };
  } finally {
    client.close();
  }
}

/** Longer than a TCP handshake with two lost packets. */
const SERVER_TIMEOUT_MS = 8_000;

async function checkServer(url: string, caFile: string | undefined): Promise<Finding> {
  const begun = systemClock.now();
  const cause = await reach(url, caFile);
  const took = milliseconds(systemClock.now() - begun);
  return cause === null
    ? { check: 'server', result: 'ok', detail: `${url} answered in ${took}` }
    : { check: 'server', result: 'bad', detail: `${url}: ${cause}` };
}

/** Null when the WebSocket opened, else why not. */
function reach(url: string, caFile: string | undefined): Promise<string | null> {
  const rendezvous = createRendezvous(caFile === undefined ? {} : { caFile });
  let connection: RendezvousConnection | null = null;
  let timer: NodeJS.Timeout | undefined;
  const answer = new Promise<string | null>((resolve) => {
    timer = setTimeout(() => resolve('no answer'), SERVER_TIMEOUT_MS);
    connection = rendezvous.connect(url, {
      open: () => resolve(null),
      message: () => {},
      frame: () => {},
      closed: ({ code, error }) => resolve(error === undefined ? code : `${code} (${error})`),
    });
  });
  return answer.finally(() => {
    clearTimeout(timer);
    connection?.close();
  });
}
