/** The app's end of the IPC: every message is checked for who sent it and for what it says before the app hears of it. */
import { type IpcMainEvent, type IpcMainInvokeEvent, ipcMain } from 'electron';
import type { AppCommand } from '../../protocol/face.ts';
import { IPC_CHANNELS } from '../../protocol/ipc.ts';
import { answer, refusal } from './answer.ts';
import { APP_PAGE } from './app-protocol.ts';
import { isTrustedSender } from './sender.ts';

export interface IpcOptions {
  /** `webContents.id` of the window, null while there is none. */
  window(): number | null;
  command(command: AppCommand): Promise<unknown>;
  /** The window wants the whole state now and changes from then on. */
  subscribe(): void;
}

/** The result stops listening. */
export function listenToWindow(options: IpcOptions): () => void {
  ipcMain.handle(IPC_CHANNELS.command, async (event, message: unknown) =>
    isOurs(event, options) ? await answer(message, options.command) : refusal('invalid'),
  );
  const subscribe = (event: IpcMainEvent): void => {
    if (isOurs(event, options)) options.subscribe();
  };
  ipcMain.on(IPC_CHANNELS.subscribe, subscribe);
  return () => {
    ipcMain.removeHandler(IPC_CHANNELS.command);
    ipcMain.off(IPC_CHANNELS.subscribe, subscribe);
  };
}

function isOurs(event: IpcMainEvent | IpcMainInvokeEvent, options: IpcOptions): boolean {
  const frame = event.senderFrame;
  const sender = { frameUrl: frame?.url ?? null, top: frame?.parent === null, contents: event.sender.id };
  return isTrustedSender(sender, options.window(), APP_PAGE);
}
