/** What the snapshots said of each member lately: the sparkline of its ping, and the odds of its hole punching. */
import type { PeerSnapshot } from '../../protocol/app.ts';

/** Points of a sparkline, oldest first. */
export const SAMPLES_KEPT = 48;
/** Snapshots may come in bursts; a sparkline of them would show the bursts. A clock may also be set back. */
export const SAMPLE_EVERY_MS = 900;
const ODDS_KEPT = 64;

export interface OddsPoint {
  probes: number;
  /** 0 to 1. */
  odds: number;
}

export interface Samples {
  /** Round trips in ms; null: no path then. */
  rtts: readonly (number | null)[];
  odds: readonly OddsPoint[];
  /** Unix ms of the newest round trip. */
  at: number;
}

const NONE: Samples = { rtts: [], odds: [], at: Number.NEGATIVE_INFINITY };

/** The samples after a snapshot; members that left are dropped, and what got nothing new keeps its identity. */
export function addSamples(
  before: ReadonlyMap<string, Samples>,
  peers: readonly PeerSnapshot[],
  now: number,
): ReadonlyMap<string, Samples> {
  return new Map(peers.map((peer) => [peer.publicKey, addSample(before.get(peer.publicKey) ?? NONE, peer, now)]));
}

function addSample(before: Samples, peer: PeerSnapshot, now: number): Samples {
  const odds = addOdds(before.odds, peer.punch);
  if (Math.abs(now - before.at) < SAMPLE_EVERY_MS) return odds === before.odds ? before : { ...before, odds };
  const rtts = [...before.rtts, peer.path?.rttMs ?? null].slice(-SAMPLES_KEPT);
  return { rtts, odds, at: now };
}

function addOdds(before: readonly OddsPoint[], punch: PeerSnapshot['punch']): readonly OddsPoint[] {
  if (punch === null) return before.length === 0 ? before : [];
  if (punch.odds === null) return before;
  const last = before.at(-1);
  if (last?.probes === punch.probesSent && last.odds === punch.odds) return before;
  // Fewer probes than before: another plan began.
  const kept = last !== undefined && punch.probesSent < last.probes ? [] : before;
  return [...kept, { probes: punch.probesSent, odds: punch.odds }].slice(-ODDS_KEPT);
}
