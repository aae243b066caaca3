/** Watches the paths that have answered: probes for life and figures, and padded ones for the sizes that they carry. */
import type { PeerAction } from './contract.ts';
import { nextProbeAt, type Pace } from './pace.ts';
import type { PathRecord } from './path.ts';
import type { Pings } from './pings.ts';

/** What leaves now. */
export function probesDue(records: Iterable<PathRecord>, pings: Pings, pace: Pace, now: number): PeerAction[] {
  const actions: PeerAction[] = [];
  for (const record of records) {
    if (!record.alive) continue;
    const { key, via } = record;
    if (nextProbeAt(record, pace, now) <= now) {
      const ping = pings.send({ key, via, purpose: 'probe' }, now);
      record.sent(ping.seq, now);
      actions.push(ping);
    }
    for (const packetSize of sizesDue(record, pace, now)) {
      const purpose = packetSize > record.mtu.mtu ? 'check' : 'probe';
      actions.push(pings.send({ key, via, purpose, packetSize }, now));
    }
  }
  return actions;
}

/** When the next one leaves or is judged. */
export function nextWatchAt(records: Iterable<PathRecord>, pace: Pace, now: number): number {
  let next = Number.POSITIVE_INFINITY;
  for (const record of records) {
    if (!record.alive) continue;
    next = Math.min(next, nextProbeAt(record, pace, now), record.nextDeadline());
    if (record.heldUntil > now) next = Math.min(next, record.heldUntil);
    if (isSized(record)) next = Math.min(next, record.mtu.nextAt(sizing(record, pace)));
  }
  return next;
}

function sizesDue(record: PathRecord, pace: Pace, now: number): number[] {
  return isSized(record) ? record.mtu.due(now, sizing(record, pace)) : [];
}

/** A relay carries every size; a path that does not answer is asked for its life first. */
function isSized(record: PathRecord): boolean {
  return record.via !== 'external' && record.lastProofAt !== null && !record.mustProve;
}

function sizing(record: PathRecord, pace: Pace) {
  const { timeoutMs, key } = record;
  return { timeoutMs, active: pace.active && key === pace.chosen, answers: record.overdue === 0 };
}
