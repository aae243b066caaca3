/** Where received files go, on each system. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The user's downloads folder: of the XDG user directories where they are set, else `Downloads` at home. */
export function downloadsFolder(home: string = homedir(), env: NodeJS.ProcessEnv = process.env): string {
  if (process.platform === 'linux') {
    const config = env.XDG_CONFIG_HOME?.startsWith('/') ? env.XDG_CONFIG_HOME : join(home, '.config');
    try {
      const text = readFileSync(join(config, 'user-dirs.dirs'), 'utf8');
      const set = /^\s*XDG_DOWNLOAD_DIR="(.*)"/m.exec(text)?.[1]?.replace('$HOME', home);
      if (set?.startsWith('/')) return set;
    } catch {
      // Not set: the usual place.
    }
  }
  return join(home, 'Downloads');
}
