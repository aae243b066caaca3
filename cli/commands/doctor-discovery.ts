/** The part of `warren doctor` about games: how their calls get into the room, who hears them, and which games cannot. */
import { type GameEntry, usesPort } from '../../engine/core/discovery/games.ts';
import { boundListeners } from '../../engine/net/lan/listeners.ts';
import { loadGames } from '../../engine/net/state/games.ts';
import type { Endpoint } from '../../engine/ports.ts';
import { type Snapshot, snapshot } from '../../protocol/app.ts';
import { discoveryCheck } from '../../protocol/discovery.ts';
import { connectIfRunning } from '../state.ts';
import { DISCOVERY_WAY_WORDS, heldBackWords, milliseconds } from '../view/words.ts';
import type { Finding } from './finding.ts';

const check = 'discovery';

/** Calls every member as a game would; nothing while no engine runs. A member that hears nothing may have it switched off. */
export async function checkDiscovery(stateDir: string): Promise<Finding[]> {
  const client = await connectIfRunning(stateDir).catch(() => null);
  if (client === null) return [];
  try {
    const now = snapshot.parse(await client.request({ type: 'status' }));
    const { members } = discoveryCheck.parse(await client.request({ type: 'discovery-check' }));
    const games = loadGames(stateDir, () => {});
    return [
      wayFinding(now),
      ...deafFindings(await boundListeners(), now.self?.ipv4 ?? null, games),
      ...members.map(({ nick, broadcastMs, multicastMs }): Finding => {
        const heard = broadcastMs !== null && multicastMs !== null;
        const detail = `${nick}: broadcast ${heardWords(broadcastMs)}, multicast ${heardWords(multicastMs)}`;
        return { check, result: heard ? 'ok' : 'note', detail };
      }),
    ];
  } catch (error) {
    return [{ check, result: 'note', detail: `the engine could not check it: ${(error as Error).message}` }];
  } finally {
    client.close();
  }
}

function wayFinding({ discovery }: Snapshot): Finding {
  const { way, sent, received } = discovery;
  const counts = way === 'off' ? '' : ` (${sent} sent, ${received} received${heldBackWords(discovery)})`;
  return { check, result: way === 'copies' ? 'ok' : 'note', detail: `${DISCOVERY_WAY_WORDS[way]}${counts}` };
}

/** Games that listen on another address than the tunnel's: what friends answer goes to the tunnel's. */
export function deafFindings(
  listeners: readonly Endpoint[],
  tunnel: string | null,
  games: readonly GameEntry[],
): Finding[] {
  return listeners.flatMap(({ ip, port }): Finding[] => {
    if (ip === tunnel || /^(?:22[4-9]|23\d|255)\./.test(ip)) return [];
    const game = games.find((one) => usesPort(one, port));
    if (game === undefined) return [];
    const detail = `a program listens on ${ip}:${port} alone (${game.name}?): it cannot hear friends; let it use every address, or ${tunnel ?? "Warren's"}`;
    return [{ check, result: 'note', detail }];
  });
}

function heardWords(ms: number | null): string {
  return ms === null ? 'not heard' : `heard after ${milliseconds(ms)}`;
}
