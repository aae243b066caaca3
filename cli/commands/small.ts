/** Commands that ask a running engine one thing: set, block, unblock, invite, down. */
import { renderUnicodeCompact } from 'uqr';
import * as z from 'zod';
import { lockHolder } from '../../engine/net/state/lock.ts';
import { saveSettings } from '../../engine/net/state/stores.ts';
import { WarrenError } from '../../protocol/errors.ts';
import { aborted, type Io, pause } from '../io.ts';
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

/** Removing addresses, saying bye and closing sockets takes a moment. */
const DOWN_TIMEOUT_MS = 10_000;
const POLL_MS = 20;

/** Answers when the engine has taken everything down and its lock is free for the next. */
export async function down(asked: SmallArguments, io: Io): Promise<number> {
  const stateDir = stateDirOf(asked);
  const client = await connect(stateDir);
  const pid = lockHolder(stateDir)?.pid;
  // The engine may be gone before its answer is read: that is what was asked for.
  await client.request({ type: 'down' }).catch((error: unknown) => {
    if (!(error instanceof WarrenError) || error.code !== 'not-running') throw error;
  });
  const late = AbortSignal.timeout(DOWN_TIMEOUT_MS);
  await Promise.race([client.closed, aborted(late)]);
  client.close();
  const held = () => pid !== undefined && lockHolder(stateDir)?.pid === pid;
  while (held() && !late.aborted) await pause(POLL_MS, late);
  if (late.aborted) throw new WarrenError('timeout', 'the engine does not end');
  io.out(asked.json ? JSON.stringify({ state: 'off' }) : 'warren is off');
  return 0;
}
