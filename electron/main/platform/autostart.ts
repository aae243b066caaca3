/** Starting with the user's session: a login item on Windows, a desktop entry on Linux. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { app } from 'electron';
import { HIDDEN_FLAG } from '../argv.ts';
import { autostartPath, desktopEntry } from './desktop-entry.ts';

/** The program and its arguments, as the session shall start it. */
export function startCommand(env: NodeJS.ProcessEnv = process.env): string[] {
  // An AppImage runs from a mount that is gone tomorrow; its own file is named in the environment.
  const program = env.APPIMAGE ?? process.execPath;
  return app.isPackaged ? [program, HIDDEN_FLAG] : [program, app.getAppPath(), HIDDEN_FLAG];
}

/** Failing to write it is the user's to know: throws what the file system says. */
export function setAutostart(on: boolean): void {
  const command = startCommand();
  if (process.platform !== 'linux') {
    app.setLoginItemSettings({ openAtLogin: on, path: command[0] ?? process.execPath, args: command.slice(1) });
    return;
  }
  const path = autostartPath();
  if (!on) {
    rmSync(path, { force: true });
    return;
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, desktopEntry(command));
}
