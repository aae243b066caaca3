/** Errors in words: one line that says what, one that says what to do next. */
import { type ErrorCode, EXIT_CODES, WarrenError } from '../protocol/errors.ts';
import type { Io } from './io.ts';
import { printable } from './view/printable.ts';

const NEXT_STEP: Record<ErrorCode, string | null> = {
  usage: 'see: warren --help',
  'wrong-password': 'check the password with a friend who is in the room, or use --create for a room of your own',
  'no-server':
    'check the address, and that `warren serve` runs there and its port is open; why not: warren doctor --server URL',
  'no-rights': 'run it as root (sudo), or install the helper; --no-tun joins without a network interface',
  'already-running': 'see it with `warren status`, end it with `warren down`, or use another --state-dir',
  'not-running': 'start it with: warren up --room NAME --server URL',
  'name-taken': 'choose another name with --interface, or leave the option out',
  'port-taken': 'choose another port, or leave the option out',
  'room-full': 'ask somebody to leave, or take another network name',
  invalid: null,
  'not-joined': 'wait until `warren status` says joined',
  'no-such-member': 'see who is there with: warren status',
  unreachable: 'see `warren status`: the member may be connecting or gone',
  'hard-nat-off': 'switch it on with: warren set hard-nat on',
  busy: 'try again in two minutes',
  timeout: null,
  disk: 'free some space or check the rights of the state directory; --state-dir chooses another',
  unsupported: null,
  internal: 'please report this with the output of: warren doctor',
};

/** Why a room ended, in words. */
const ENDS: Partial<Record<ErrorCode, string>> = {
  'wrong-password': 'somebody is in this room with another password',
  'no-server': 'no rendezvous server answered',
  'room-full': 'the room is full',
};

/** An engine's end as an error; what the engine itself says of other ends stands. */
export function endError({ code, message }: { code: ErrorCode; message: string }): WarrenError {
  return new WarrenError(code, ENDS[code] ?? message);
}

export function exitCode(code: ErrorCode): number {
  return EXIT_CODES[code] ?? 1;
}

/** Tells the failure on stderr, on stdout too with `json`, and answers its exit code. */
export function report(error: unknown, io: Io, json: boolean): number {
  const known = error instanceof WarrenError;
  const code = known ? error.code : 'internal';
  const message = printable(error instanceof Error ? error.message : String(error));
  io.err(`warren: ${message} (${code})`);
  const next = NEXT_STEP[code];
  if (next !== null) io.err(`  ${next}`);
  // A fault of ours: whoever reports it should have more than a sentence.
  if (!known && error instanceof Error && error.stack) io.err(error.stack);
  if (json) io.out(JSON.stringify({ error: { code, message } }));
  return exitCode(code);
}
