/** Commands that ask a running engine one thing: set, block, unblock, invite, down. */
import { renderUnicodeCompact } from 'uqr';
import * as z from 'zod';
import { saveSettings } from '../../engine/net/state/stores.ts';
import { attachLink } from '../../engine/session/link.ts';
import { WarrenError } from '../../protocol/errors.ts';
import type { Io } from '../io.ts';
import { connect, connectIfRunning, type StateOptions, stateDirOf } from '../state.ts';
import { printable } from '../view/printable.ts';

export interface SmallArguments extends StateOptions {
  json?: boolean;
}

/** With a running engine it takes effect at once (and the engine keeps it); without one it is for the next. */
export async function set(
  setting: 'port-mapping' | 'hard-nat',
  on: boolean,
  asked: SmallArguments,
  io: Io,
): Promise<number> {
  const stateDir = stateDirOf(asked);
  const client = await connectIfRunning(stateDir);
  if (client === null) saveSettings(stateDir, setting === 'hard-nat' ? { hardNat: on } : { portMapping: on });
  else {
    await client.request({ type: 'set', setting, on });
    client.close();
  }
  const when = client === null ? 'from the next start' : 'now';
  io.out(
    asked.json ? JSON.stringify({ setting, on, running: client !== null }) : `${setting} ${on ? 'on' : 'off'}, ${when}`,
  );
  return 0;
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
