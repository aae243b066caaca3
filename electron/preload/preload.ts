/**
 * The one thing that the page gets from Electron: an `AppClient` as `window.warren`. It runs in the sandbox, so all it can do is
 * send what `electron/main/ipc.ts` checks.
 */
import { contextBridge, ipcRenderer, webUtils } from 'electron';
import type { AppClient, AppCommand, CommandAnswer, StateChange } from '../../protocol/face.ts';
import { IPC_CHANNELS } from '../../protocol/ipc.ts';

const listeners = new Set<(change: StateChange) => void>();
/** All that was heard so far: what a later subscriber gets first. Null before the first message. */
let known: StateChange | null = null;

ipcRenderer.on(IPC_CHANNELS.state, (_event, change: StateChange) => {
  // Changes that were under way before the whole state (only it has `about`) would be taken for it.
  if (known === null && change.about === undefined) return;
  known = { ...known, ...change };
  for (const listener of listeners) listener(change);
});

const client: AppClient = {
  subscribe(listener) {
    if (known !== null) listener(known);
    else if (listeners.size === 0) ipcRenderer.send(IPC_CHANNELS.subscribe);
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  async command(command: AppCommand): Promise<CommandAnswer> {
    try {
      return (await ipcRenderer.invoke(IPC_CHANNELS.command, command)) as CommandAnswer;
    } catch {
      // What structured clone refuses never left this process; the rest is an app that is going away.
      return { ok: false, code: 'unreachable' };
    }
  },
  /** The window lives in the app's own process tree: the link is up as long as there is a window. */
  onLink(listener) {
    listener(true);
    return () => undefined;
  },
  pathOf: (file) => webUtils.getPathForFile(file as File),
};

contextBridge.exposeInMainWorld('warren', client);
