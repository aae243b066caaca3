/** Who may speak over IPC: the top frame of our own window, showing our own page. */

/** What Electron knows of a message's origin, as plain values. */
export interface Sender {
  /** URL of the frame that sent it; null for a frame that is gone. */
  frameUrl: string | null;
  /** Whether that frame is the top one of its contents. */
  top: boolean;
  /** `webContents.id` of the sender. */
  contents: number;
}

/** `own`: the id of our window's contents, null while there is none. `page`: the only URL that may speak (its fragment aside). */
export function isTrustedSender(sender: Sender, own: number | null, page: string): boolean {
  if (own === null || sender.contents !== own || !sender.top || sender.frameUrl === null) return false;
  return sender.frameUrl.split('#')[0] === page;
}
