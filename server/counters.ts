/** Plain numbers, because they are touched once a frame; `metrics.ts` reads them when it is asked. */
import { SERVER_ERROR_CODES, type ServerErrorCode } from '../protocol/errors.ts';

export const DROP_REASONS = [
  /** The destination is not in the sender's room. */
  'no-such-member',
  /** A relay frame to a member that has not allowed the sender. */
  'not-allowed',
  /** A signal between strangers beyond what a handshake needs. */
  'handshake-allowance',
  'signal-rate',
  'relay-rate',
  'control-rate',
  /** The oldest data queued for a slow reader. */
  'slow-reader',
] as const;
export type DropReason = (typeof DROP_REASONS)[number];

export const STUN_OUTCOMES = ['answered', 'refused', 'malformed', 'not-stun', 'ignored', 'rate-limited'] as const;
export type StunOutcome = (typeof STUN_OUTCOMES)[number];

export interface Counters {
  /** Members welcomed, and those of them that took over a half-open connection. */
  welcomed: number;
  resumed: number;
  signals: number;
  relayFrames: number;
  /** Payload bytes. */
  relayBytes: number;
  dropped: Record<DropReason, number>;
  /** Connections refused or closed by each error code. */
  errors: Record<ServerErrorCode, number>;
  /** Connections that stayed silent for two ping intervals. */
  silent: number;
  stun: Record<StunOutcome, number>;
}

export function createCounters(): Counters {
  return {
    welcomed: 0,
    resumed: 0,
    signals: 0,
    relayFrames: 0,
    relayBytes: 0,
    dropped: zeros(DROP_REASONS),
    errors: zeros(SERVER_ERROR_CODES),
    silent: 0,
    stun: zeros(STUN_OUTCOMES),
  };
}

function zeros<K extends string>(keys: readonly K[]): Record<K, number> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Record<K, number>;
}
