/** How each operating system opens an address in the person's own browser. */
import { spawn } from 'node:child_process';

export interface Opener {
  command: string;
  args: string[];
}

export interface Surroundings {
  platform: NodeJS.Platform;
  env: Record<string, string | undefined>;
  /** Null where there are no user ids. */
  uid: number | null;
}

const HERE: Surroundings = { platform: process.platform, env: process.env, uid: process.getuid?.() ?? null };

/** Null where nobody would see it, or where it would start a browser with root's rights. */
export function openerFor(url: string, { platform, env, uid }: Surroundings = HERE): Opener | null {
  // `start` is the shell's own; its first quoted word would be the window's title.
  if (platform === 'win32') return { command: 'cmd.exe', args: ['/d', '/c', 'start', '""', url] };
  if (uid === 0) return null;
  if (platform === 'darwin') return { command: 'open', args: [url] };
  return env.DISPLAY || env.WAYLAND_DISPLAY ? { command: 'xdg-open', args: [url] } : null;
}

/** Whether an opener was started. It is not waited for: some stay as long as the browser does. */
export function openInBrowser(url: string): Promise<boolean> {
  const opener = openerFor(url);
  if (opener === null) return Promise.resolve(false);
  return new Promise((resolve) => {
    const child = spawn(opener.command, opener.args, { stdio: 'ignore', detached: true });
    child.once('error', () => resolve(false));
    child.once('spawn', () => {
      child.unref();
      resolve(true);
    });
  });
}
