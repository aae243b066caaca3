/** `warren punch`: the long shot with one member, with its odds and its price before anything begins. */
import { createInterface } from 'node:readline/promises';
import { type PeerSnapshot, snapshot } from '../../protocol/app.ts';
import { WarrenError } from '../../protocol/errors.ts';
import type { LongShotView } from '../../protocol/long-shot.ts';
import type { Io } from '../io.ts';
import { connect, type StateOptions, stateDirOf } from '../state.ts';
import { printable } from '../view/printable.ts';
import { LONG_SHOT_ADVICE_WORDS, LONG_SHOT_END_WORDS } from '../view/words.ts';

export interface PunchArguments extends StateOptions {
  stop?: boolean;
  yes?: boolean;
  json?: boolean;
}

/** Asks the member's user, says yes to theirs, or stops; it goes on in the engine. Throws WarrenError. */
export async function punch(name: string, asked: PunchArguments, io: Io): Promise<number> {
  const client = await connect(stateDirOf(asked));
  try {
    const peer = findPeer(snapshot.parse(await client.request({ type: 'status' })).peers, name);
    const { longShot, publicKey } = peer;
    const action = asked.stop ? 'stop' : 'start';
    if (action === 'start') {
      if (longShot === undefined)
        throw new WarrenError('unsupported', 'a long shot is for two strict NATs without a better way');
      const idle = longShot.state === 'possible' || longShot.state === 'asked';
      if (idle && !asked.yes) {
        for (const line of longShotLines(peer.nick, longShot)) io.err(line);
        if (!(await confirmed(io))) return 0;
      }
    }
    await client.request({ type: 'long-shot', peer: publicKey, action });
    const after = findPeer(snapshot.parse(await client.request({ type: 'status' })).peers, publicKey);
    const state = after.longShot?.state ?? null;
    io.out(
      asked.json
        ? JSON.stringify({ nick: peer.nick, publicKey, longShot: after.longShot ?? null })
        : said(printable(peer.nick), state, asked.stop === true),
    );
    return 0;
  } finally {
    client.close();
  }
}

function findPeer(peers: readonly PeerSnapshot[], name: string): PeerSnapshot {
  const found =
    peers.find(({ publicKey, ipv4, ipv6 }) => publicKey === name || ipv4 === name || ipv6 === name) ??
    peers.find(({ nick }) => nick.toLowerCase() === name.toLowerCase());
  if (found === undefined) throw new WarrenError('no-such-member', `no member is called ${JSON.stringify(name)}`);
  return found;
}

/** What is offered, what it costs, and what to try before. */
function longShotLines(nick: string, { state, odds, mappings, theirMappings, seconds, advice, last }: LongShotView) {
  const who = printable(nick);
  return [
    state === 'asked' ? `${who} asks you for a long shot.` : `A long shot with ${who}, who must agree to it.`,
    `  odds: ${percent(odds)}; takes ${mappings} ports of your router and ${theirMappings} of theirs, for about ${seconds} s`,
    '  While it runs, and up to two minutes after, your own connections may fail: it may starve them of ports.',
    ...(last === null ? [] : [`  last time: ${LONG_SHOT_END_WORDS[last]}`]),
    ...(advice.length === 0
      ? []
      : ['  Better, if you can:', ...advice.map((one) => `    ${LONG_SHOT_ADVICE_WORDS[one]}`)]),
  ];
}

/** Small chances are not rounded to none. */
function percent(odds: number): string {
  const value = odds * 100;
  return value < 0.01 ? 'below 0.01 %' : `${value < 1 ? value.toFixed(2) : value.toFixed(0)} %`;
}

async function confirmed(io: Io): Promise<boolean> {
  if (!io.stdin.isTTY) throw new WarrenError('usage', 'nobody can be asked here: --yes starts it');
  io.ask('Go ahead? [y/N] ');
  const lines = createInterface({ input: io.stdin });
  try {
    const signal = io.interrupted();
    return /^y(es)?$/i.test((await lines.question('', { signal })).trim());
  } catch {
    return false;
  } finally {
    lines.close();
  }
}

function said(who: string, state: LongShotView['state'] | null, stopped: boolean): string {
  if (stopped) return `no long shot with ${who}`;
  if (state === 'asking')
    return `${who} is asked, and has a minute; see: warren status --watch, stop with: warren punch ${who} --stop`;
  return `the long shot with ${who} runs; see: warren status --watch, stop with: warren punch ${who} --stop`;
}
