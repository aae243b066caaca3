/** The desktop entry that starts the app with the session, after the freedesktop.org specifications. */
import { homedir } from 'node:os';
import { join } from 'node:path';

type Environment = Record<string, string | undefined>;

/** Where the XDG autostart specification looks first. */
export function autostartPath(env: Environment = process.env, home: string = homedir()): string {
  const base = env.XDG_CONFIG_HOME?.startsWith('/') ? env.XDG_CONFIG_HOME : join(home, '.config');
  return join(base, 'autostart', 'warren.desktop');
}

/** Quoting of the Desktop Entry specification, "The Exec key": `"`, `` ` ``, `$` and `\` are escaped, `%` doubled. */
export function desktopEntry(command: readonly string[]): string {
  const exec = command.map((part) => `"${part.replace(/["`$\\]/g, '\\$&').replaceAll('%', '%%')}"`).join(' ');
  // The value is a string of the key file as well, in which a backslash is an escape.
  const value = exec.replaceAll('\\', '\\\\');
  return `[Desktop Entry]\nType=Application\nName=Warren\nExec=${value}\nTerminal=false\n`;
}
