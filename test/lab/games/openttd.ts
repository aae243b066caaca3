/** OpenTTD as Debian has it: a dedicated server that clients find on their LAN by a broadcast to UDP port 3979. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstLine } from '../cli.ts';
import type { Lab, Namespace } from '../netns.ts';

/** PACKET_UDP_CLIENT_FIND_SERVER and its answer: length (little-endian), type. */
export const FIND_SERVER = '030000';
export const SERVER_RESPONSE = '030001';

/** A local game on the smallest map. */
const CONFIG = `[network]
server_name = Lab
server_game_type = local
[game_creation]
map_x = 6
map_y = 6
`;

/** Resolves when the server plays. */
export async function startOpenTtd(lab: Lab, namespace: Namespace): Promise<{ stop(): Promise<void> }> {
  const home = mkdtempSync(join(tmpdir(), 'warren-openttd-'));
  const config = join(home, 'openttd.cfg');
  writeFileSync(config, CONFIG);
  const argv = ['/usr/games/openttd', '-D', '0.0.0.0:3979', '-c', config, '-d', 'net=6'];
  const game = lab.spawn(namespace, [
    'stdbuf',
    '-oL',
    '-eL',
    'env',
    `HOME=${home}`,
    'sh',
    '-c',
    'exec "$@" 2>&1',
    'sh',
    ...argv,
  ]);
  const stop = async () => {
    await game.stop();
    rmSync(home, { recursive: true, force: true });
  };
  try {
    await firstLine(game, (line) => line.includes('starting game'));
    return { stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
