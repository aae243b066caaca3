/** What is being tried towards a peer without a direct path, as people see it. */
import type { PeerSnapshot } from '../../../protocol/app.ts';
import { nextCheckAt, type Pair } from './pairs.ts';
import { BURST_OFFSETS_MS, CHECK_PACES } from './tuning.ts';

type Punch = PeerSnapshot['punch'];

/** Age at which a round has fallen to its last and endless pace. */
const ROUND_MS = CHECK_PACES.map(({ untilMs }) => untilMs).findLast(Number.isFinite) ?? 0;
const CHECKS_IN_ROUND = checksInRound();

/**
 * Simultaneous open: both sides check every pair at once. `probing` while some round is dense, `waiting` while all are at
 * their last pace. Null where there is nothing to check.
 */
export function simultaneousOpen(pairs: readonly Pair[], now: number): Punch {
  if (pairs.length === 0) return null;
  const probesSent = pairs.reduce((sum, pair) => sum + Math.min(pair.checks, CHECKS_IN_ROUND), 0);
  return {
    strategy: 'simultaneous-open',
    phase: pairs.some((pair) => now - pair.roundAt < ROUND_MS) ? 'probing' : 'waiting',
    probesSent,
    probesMax: pairs.length * CHECKS_IN_ROUND,
    mappings: 0,
    odds: null,
  };
}

/** What the schedule sends to one pair before its last pace. */
function checksInRound(): number {
  const pair = { roundAt: 0, sent: 0, lastSentAt: 0 };
  let count = 0;
  for (let at = 0; at < ROUND_MS; at = nextCheckAt(pair, false)) {
    count += 1;
    pair.lastSentAt = at;
    pair.sent = Math.min(count, BURST_OFFSETS_MS.length);
  }
  return count;
}
