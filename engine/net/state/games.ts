/** Games that a person added: `games.json` in the state directory, in the form of engine/core/discovery/games.ts. */
import { join } from 'node:path';
import { GAMES, type GameEntry, gameTable } from '../../core/discovery/games.ts';
import { readIfThere } from './files.ts';

/** The person's entries before ours. A file that cannot be used is logged and left out. */
export function loadGames(stateDir: string, log: (level: 'warn', message: string) => void): readonly GameEntry[] {
  const path = join(stateDir, 'games.json');
  try {
    const bytes = readIfThere(path);
    return bytes === null ? GAMES : [...gameTable.parse(JSON.parse(Buffer.from(bytes).toString())), ...GAMES];
  } catch (error) {
    log('warn', `${path} cannot be used: ${(error as Error).message}`);
    return GAMES;
  }
}
