/** What an error of the socket means to the engine. */
import type { RendezvousHandlers } from '../../ports.ts';

export type ClosedCause = Parameters<RendezvousHandlers['closed']>[0];

/** OpenSSL's verification results and Node's own TLS codes. */
const TLS_CODES =
  /^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_MISMATCH|INVALID_CA|EPROTO|ERR_OSSL)/;

/** `opened`: whether the WebSocket had stood before. */
export function causeOf(error: Error & { code?: string }, opened: boolean): ClosedCause {
  const { code = '' } = error;
  const text = error.message === '' ? code : error.message;
  if (code.startsWith('WS_ERR')) return { code: 'protocol', error: text };
  if (TLS_CODES.test(code)) return { code: 'tls', error: text };
  if (opened) return { code: 'lost', error: text };
  if (code === 'ETIMEDOUT') return { code: 'timeout', error: text };
  // Errors without a code come from the WebSocket handshake: whatever answered there is no rendezvous server.
  return { code: code === '' ? 'protocol' : 'unreachable', error: text };
}
