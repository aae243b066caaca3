/** Commands that ask a running engine one thing: set, block, unblock, invite, down. */
import { renderUnicodeCompact } from 'uqr';
import * as z from 'zod';
import { type Settings, saveSettings } from '../../engine/net/state/stores.ts';
import { attachLink } from '../../engine/session/link.ts';
import { type Command, SETTING_KEYS, type SettingName } from '../../protocol/app.ts';
import { WarrenError } from '../../protocol/errors.ts';
import type { FilterPreset } from '../../protocol/filter.ts';
import type { Io } from '../io.ts';
import { connect, connectIfRunning, type StateOptions, stateDirOf } from '../state.ts';
import { printable } from '../view/printable.ts';

export interface SmallArguments extends StateOptions {
  json?: boolean;
}

/** With a running engine it takes effect at once (and the engine keeps it); without one it is for the next. */
export async function set(setting: SettingName, on: boolean, asked: SmallArguments, io: Io): Promise<number> {
  const running = await keep({ type: 'set', setting, on }, { [SETTING_KEYS[setting]]: on }, stateDirOf(asked));
  tell({ setting, on, running }, on ? 'on' : 'off', asked, io);
  return 0;
}

export async function setFilter(preset: FilterPreset, asked: SmallArguments, io: Io): Promise<number> {
  const running = await keep({ type: 'filter', preset }, { filter: preset }, stateDirOf(asked));
  tell({ setting: 'filter', preset, running }, preset, asked, io);
  return 0;
}

/** True: a running engine took it (and keeps it). */
async function keep(
  command: Exclude<Command, { type: 'watch' }>,
  change: Partial<Settings>,
  stateDir: string,
): Promise<boolean> {
  const client = await connectIfRunning(stateDir);
  if (client === null) {
    saveSettings(stateDir, change);
    return false;
  }
  await client.request(command);
  client.close();
  return true;
}

function tell(
  told: { setting: string; running: boolean; [more: string]: unknown },
  value: string,
  asked: SmallArguments,
  io: Io,
): void {
  const when = told.running ? 'now' : 'from the next start';
  io.out(asked.json ? JSON.stringify(told) : `${told.setting} ${value}, ${when}`);
}

export async function block(peer: string, on: boolean, asked: SmallArguments, io: Io): Promise<number> {
  const client = await connect(stateDirOf(asked));
  try {
    await client.request({ type: 'block', peer, on });
  } finally {
    client.close();
  }
  io.out(asked.json ? JSON.stringify({ peer, blocked: on }) : `${printable(peer)} is ${on ? 'blocked' : 'unblocked'}`);
  return 0;
}

const inviteResult = z.object({ link: z.string() });

export async function invite(asked: SmallArguments, io: Io): Promise<number> {
  const client = await connect(stateDirOf(asked));
  try {
    const { link } = inviteResult.parse(await client.request({ type: 'invite' }));
    if (asked.json) io.out(JSON.stringify({ link }));
    else {
      io.out(link);
      if (io.stdout.isTTY) io.out(`\n${renderUnicodeCompact(link)}\n`);
      io.err('It holds the password: send it to friends only.');
    }
    return 0;
  } finally {
    client.close();
  }
}

/** Answers when the engine has taken everything down and its lock is free for the next. */
export async function down(asked: SmallArguments, io: Io): Promise<number> {
  const engine = await attachLink(stateDirOf(asked));
  if (engine === null) throw new WarrenError('not-running', 'no engine is running here');
  await engine.end();
  io.out(asked.json ? JSON.stringify({ state: 'off' }) : 'warren is off');
  return 0;
}
