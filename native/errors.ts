import type { WireguardErrorCode } from './types.ts';

/** What went wrong, as a closed code; `message` names the next step. */
export class WireguardError extends Error {
  readonly code: WireguardErrorCode;
  constructor(code: WireguardErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'WireguardError';
    this.code = code;
  }
}
