/** Whether an icon in the panel would be seen by anyone. */
import { execFile } from 'node:child_process';

const TIMEOUT_MS = 2_000;
/** Asks the session bus who shows status icons (KDE, GNOME with its extension, Xfce, and others); GNOME alone has nobody. */
const QUESTION = [
  '--session',
  '--print-reply',
  '--dest=org.freedesktop.DBus',
  '/org/freedesktop/DBus',
  'org.freedesktop.DBus.NameHasOwner',
  'string:org.kde.StatusNotifierWatcher',
];

/** False where it cannot be known: a window that hides with no way back is worse than one that quits. */
export async function hasTray(platform: NodeJS.Platform = process.platform): Promise<boolean> {
  if (platform !== 'linux') return true;
  return await new Promise((resolve) => {
    execFile('dbus-send', QUESTION, { timeout: TIMEOUT_MS }, (error, answer) =>
      resolve(error === null && /\bboolean true\b/.test(answer)),
    );
  });
}
