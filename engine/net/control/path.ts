/** Where the control socket of a state directory lives. */
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';

/** sockaddr_un holds 108 bytes on Linux and 104 on BSD and macOS; some room is left for both. */
const LONGEST_PATH = 100;

export interface ControlPath {
  path: string;
  /** The directory that must be private to this user. */
  directory: string;
  /** The directory is for the socket alone and goes with it. */
  temporary: boolean;
}

/** In the state directory, or under a hash of it in a runtime directory where that path would be too long. */
export function controlPath(
  stateDir: string,
  env: Record<string, string | undefined> = process.env,
  platform: NodeJS.Platform = process.platform,
): ControlPath {
  const absolute = resolve(stateDir);
  const hash = createHash('sha256').update(absolute).digest('hex').slice(0, 16);
  if (platform === 'win32') return { path: `\\\\.\\pipe\\warren-${hash}`, directory: absolute, temporary: false };
  const direct = join(absolute, 'control');
  if (Buffer.byteLength(direct) <= LONGEST_PATH) return { path: direct, directory: absolute, temporary: false };
  const runtime = env.XDG_RUNTIME_DIR?.startsWith('/') ? join(env.XDG_RUNTIME_DIR, 'warren', hash) : null;
  const directory =
    runtime !== null && Buffer.byteLength(join(runtime, 'control')) <= LONGEST_PATH
      ? runtime
      : join('/tmp', `warren-${process.getuid?.() ?? 0}-${hash}`);
  return { path: join(directory, 'control'), directory, temporary: true };
}
