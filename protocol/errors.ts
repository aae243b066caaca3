/** Closed error codes. Words for people are made in the CLI and the UI only. */

export type ErrorCode =
  | 'usage'
  | 'wrong-password'
  | 'no-server'
  | 'no-rights'
  | 'already-running'
  | 'not-running'
  | 'name-taken'
  | 'port-taken'
  | 'room-full'
  | 'invalid'
  | 'not-joined'
  | 'no-such-member'
  | 'unreachable'
  | 'hard-nat-off'
  | 'busy'
  | 'timeout'
  | 'disk'
  | 'unsupported'
  | 'internal';

/** Exit codes of the command, a contract with tools outside the project; everything else exits 1. */
export const EXIT_CODES: Partial<Record<ErrorCode, number>> = {
  usage: 2,
  'wrong-password': 3,
  'no-server': 4,
  'no-rights': 5,
  'already-running': 6,
};

/** Codes in the server's `error` message. The socket closes after all but `rate-limited`. */
export const SERVER_ERROR_CODES = [
  'bad-message',
  'hello-timeout',
  'version',
  'room-full',
  'too-many-connections',
  'too-many-rooms',
  'rate-limited',
  'too-slow',
  'too-large',
  'origin',
  'draining',
] as const;
export type ServerErrorCode = (typeof SERVER_ERROR_CODES)[number];

export class WarrenError extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'WarrenError';
    this.code = code;
  }
}
