/** Where state lives and how a process is recognised, for each operating system. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

type Environment = Record<string, string | undefined>;

/** `$XDG_STATE_HOME/warren` or `~/.local/state/warren`; `%APPDATA%\warren` on Windows. */
export function defaultStateDir(
  env: Environment = process.env,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): string {
  if (platform === 'win32') return join(env.APPDATA || join(home, 'AppData', 'Roaming'), 'warren');
  // The XDG specification tells us to ignore relative paths.
  const base = env.XDG_STATE_HOME?.startsWith('/') ? env.XDG_STATE_HOME : join(home, '.local', 'state');
  return join(base, 'warren');
}

/**
 * What tells a process from a later one with the same pid: on Linux the boot and the start time in clock ticks. Null
 * when there is no such process; an empty string where only its existence can be known.
 */
export function processIdentity(pid: number, platform: NodeJS.Platform = process.platform): string | null {
  if (platform === 'linux') return linuxIdentity(pid);
  try {
    process.kill(pid, 0);
    return '';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? '' : null;
  }
}

function linuxIdentity(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // proc(5): the command name may hold spaces and parentheses, so fields are counted after the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const state = fields[0];
    if (state === 'Z' || state === 'X') return null;
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()}:${fields[19]}`;
  } catch {
    return null;
  }
}
