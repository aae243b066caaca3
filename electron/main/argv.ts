/**
 * The command line. Whoever gets a browser to open a `warren://` link writes part of it, so the link handler is registered
 * with a trailing `--` (everything after it is the link, never an option) and options are read before it only.
 */
import { INVITE_BYTES } from '../../protocol/invite.ts';

export interface Arguments {
  /** Where the state lives instead of the user's own place. */
  stateDir: string | null;
  /** An invite to be confirmed. Its content is checked by the app, not here. */
  link: string | null;
  /** Started with the session: no window until the tray is asked. */
  hidden: boolean;
}

const LINK = 'warren://';
const STATE_DIR = '--state-dir=';
export const HIDDEN_FLAG = '--hidden';

/** `argv` without the program and, in a checkout, the app's folder. What is not known is Chromium's and left alone. */
export function parseArguments(argv: readonly string[]): Arguments {
  const end = argv.indexOf('--');
  const options = end < 0 ? argv : argv.slice(0, end);
  const rest = end < 0 ? [] : argv.slice(end + 1);
  const stateDir = options.find((option) => option.startsWith(STATE_DIR))?.slice(STATE_DIR.length);
  return {
    stateDir: stateDir ? stateDir : null,
    link: rest.length === 1 && isLink(rest[0]) ? rest[0] : null,
    hidden: options.includes(HIDDEN_FLAG),
  };
}

/** Worth showing to the app, which decodes it strictly. */
export function isLink(text: unknown): text is string {
  return typeof text === 'string' && text.startsWith(LINK) && text.length <= INVITE_BYTES;
}
