/** `warren up`: an engine in the foreground, until a signal, `warren down`, or something that it cannot go on with. */
import { userInfo } from 'node:os';
import type { Engine, UpOptions } from '../../engine/contract.ts';
import { isSavedRoom } from '../../engine/net/state/saved-room.ts';
import { loadSettings, type Settings } from '../../engine/net/state/stores.ts';
import { claimSlot } from '../../engine/session/slot.ts';
import { WarrenError } from '../../protocol/errors.ts';
import { endError } from '../failure.ts';
import { aborted, type Io } from '../io.ts';
import { loadNative } from '../native.ts';
import { givenPassword, inviteFromFile, type PasswordOptions, promptPassword } from '../password.ts';
import { type StateOptions, stateDirOf } from '../state.ts';
import type { OpenUi } from '../ui/open.ts';
import { printable } from '../view/printable.ts';
import { openScreen, type Screen } from '../view/screen.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** As commander gives them. */
export interface UpArguments extends PasswordOptions, StateOptions {
  room?: string;
  inviteFile?: string;
  server?: string[];
  create?: boolean;
  nick?: string;
  interface?: string;
  ipv4?: string;
  tun: boolean;
  udpPort: number;
  stun?: string[];
  portMapping: boolean;
  hardNat: boolean;
  relayOnly?: boolean;
  caFile?: string;
  policyFile?: string;
  downloadDir?: string;
  /** TCP port of the browser UI, 0 for a free one. */
  ui?: number;
  json?: boolean;
  logLevel: LogLevel;
}

/** `ahead`: what was begun before the engine was loaded. */
export async function up(asked: UpArguments, io: Io, ahead: Pick<UpOptions, 'early' | 'crypto'> = {}): Promise<number> {
  const interrupted = io.interrupted();
  const stateDir = stateDirOf(asked);
  const target = whereTo(asked, io);
  const slot = claimSlot(stateDir);
  let screen: Screen | null = null;
  let page: OpenUi | null = null;
  try {
    const password = target.password ?? (await savedOrAsked(stateDir, target.room, asked.create === true, io));
    screen = await openScreen(io, asked.json === true);
    const options = engineOptions(asked, loadSettings(stateDir), logger(asked.logLevel, screen));
    const engine = await slot.start({ ...options, ...target, password, ...ahead }, await loadNative());
    if (asked.ui !== undefined) page = await openPage(engine, asked.ui, asked, screen, io);
    const unsubscribe = engine.subscribe((snapshot) => screen?.show(snapshot));
    const end = await Promise.race([engine.done, aborted(interrupted).then(() => null)]);
    unsubscribe();
    if (end !== null && end.code !== null) throw endError({ code: end.code, message: end.message });
    return 0;
  } finally {
    await page?.close();
    await slot.release();
    screen?.end();
  }
}

/** Room, servers and password from the options or the invite. Throws WarrenError('usage'). */
function whereTo(asked: UpArguments, io: Io): { room: string; servers: string[]; password: string | null } {
  if (asked.inviteFile !== undefined) {
    if (asked.room !== undefined) throw new WarrenError('usage', '--room and --invite-file exclude each other');
    const invite = inviteFromFile(asked.inviteFile);
    return { room: invite.name, servers: asked.server ?? invite.servers, password: invite.password };
  }
  if (asked.room === undefined) throw new WarrenError('usage', 'which room? --room NAME, or --invite-file FILE');
  if (asked.server === undefined) throw new WarrenError('usage', 'which rendezvous server? --server URL');
  return { room: asked.room, servers: asked.server, password: givenPassword(asked, io.env) };
}

/** Null: the engine uses what it remembers of the room. */
async function savedOrAsked(stateDir: string, room: string, create: boolean, io: Io): Promise<string | null> {
  return isSavedRoom(stateDir, room) ? null : await promptPassword(io, create);
}

function engineOptions(
  asked: UpArguments,
  settings: Settings,
  log: UpOptions['log'],
): Omit<UpOptions, 'room' | 'servers' | 'password' | 'stateDir'> {
  return {
    nick: asked.nick ?? userInfo().username,
    create: asked.create === true,
    interfaceName: asked.interface ?? null,
    ipv4: asked.ipv4 ?? null,
    tun: asked.tun,
    udpPort: asked.udpPort,
    stun: asked.stun ?? [],
    portMapping: asked.portMapping && settings.portMapping,
    hardNat: asked.hardNat && settings.hardNat,
    discovery: settings.discovery,
    relayOnly: asked.relayOnly === true,
    caFile: asked.caFile ?? null,
    policyFile: asked.policyFile,
    downloadDir: asked.downloadDir,
    log,
  };
}

/** Loaded late: most members look at their terminal alone. */
async function openPage(engine: Engine, port: number, asked: UpArguments, screen: Screen, io: Io): Promise<OpenUi> {
  const { openUiBeside } = await import('../ui/beside.ts');
  const say = (line: string) => screen.log(printable(line));
  const options = { port, json: asked.json === true, browser: true, stateDir: stateDirOf(asked), tun: asked.tun };
  return await openUiBeside(engine, { ...options, say, log: say }, io);
}

function logger(lowest: LogLevel, screen: Screen): UpOptions['log'] {
  return (level, message) => {
    if (LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(lowest)) screen.log(`${level}: ${printable(message)}`);
  };
}
