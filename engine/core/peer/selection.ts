/** From path records to what the device is told: the path in use and the standby that receives copies. */
import { choosePath, compareText, isDirect, type PathFacts } from './choice.ts';
import type { PathRecord } from './path.ts';
import { DUPLICATE_AFTER_OVERDUE, SETTLING_MS } from './tuning.ts';

export interface PathState {
  /** Every path that ever answered, dead ones included, and the relay while it is up. */
  records: Map<string, PathRecord>;
  chosen: string | null;
  firstDirectAt: number | null;
}

export interface Selection {
  chosen: string | null;
  /** Whether the one in use before was left for being clearly worse. */
  leftAsWorse: boolean;
}

/** The best sound path; with none the one in use, or the relay: no other is better for being silent too. */
export function selectPath(state: PathState, now: number): Selection {
  const settling = state.firstDirectAt !== null && now - state.firstDirectAt < SETTLING_MS;
  const facts: PathFacts[] = [];
  for (const record of state.records.values()) facts.push(factsOf(record, state.chosen, now));
  const choice = choosePath(facts, state.chosen, settling);
  if (choice !== null) {
    const leftAsWorse = state.chosen !== null && choice.avoided.includes(state.chosen);
    return { chosen: choice.key, leftAsWorse };
  }
  const current = state.chosen === null ? undefined : state.records.get(state.chosen);
  // Copies help a direct path that fell silent; beside a relay that did so none leave, and no hold is worth that.
  const waiting = current !== undefined && isDirect(current.kind) ? null : directPath(state);
  return { chosen: waiting?.key ?? leastBad(state), leftAsWorse: false };
}

/** Where copies go while the path in use does not answer. Relay first: it fails for other reasons than a UDP path. */
export function selectDuplicate(state: PathState, now: number): string | null {
  const current = state.chosen === null ? undefined : state.records.get(state.chosen);
  if (current === undefined || !isDirect(current.kind) || (current.alive && !current.suspect)) return null;
  const others = [...state.records.values()].filter((record) => record !== current && record.alive);
  const sound = others.filter((record) => isSound(record, null, now));
  return (relayOf(sound) ?? sound[0] ?? relayOf(others) ?? others[0])?.key ?? null;
}

function relayOf(records: readonly PathRecord[]): PathRecord | undefined {
  return records.find((record) => !isDirect(record.kind));
}

function factsOf(record: PathRecord, chosen: string | null, now: number): PathFacts {
  return {
    key: record.key,
    kind: record.kind,
    alive: isSound(record, chosen, now),
    rttMs: record.srttMs,
    samples: record.samples,
    lossPct: record.meanLossPct,
    avoided: now < record.avoidedUntil,
    tieBreak: record.tieBreak,
  };
}

/**
 * The path in use keeps its place until it is dead; another must have answered its last probe, and a direct one must have
 * served its hold after a death.
 */
function isSound(record: PathRecord, chosen: string | null, now: number): boolean {
  if (!record.alive) return false;
  if (!isDirect(record.kind)) return record.overdue < DUPLICATE_AFTER_OVERDUE;
  if (record.key === chosen) return true;
  return record.overdue === 0 && !record.mustProve && now >= record.heldUntil;
}

/**
 * The direct path in use while it lives, else one that answers and waits: held after a death, or passed over for a relay. Of
 * several the one that both sides name first.
 */
export function directPath({ records, chosen }: PathState): PathRecord | null {
  const direct = [...records.values()].filter((record) => isDirect(record.kind) && record.alive);
  const waiting = direct.filter((record) => !record.suspect).sort((a, b) => compareText(a.tieBreak, b.tieBreak));
  return direct.find((record) => record.key === chosen) ?? waiting[0] ?? null;
}

/** With none left packets wait: a path that died would swallow them, and its first answer lets them go. */
function leastBad({ records, chosen }: PathState): string | null {
  if (chosen !== null && records.has(chosen)) return chosen;
  return relayOf([...records.values()])?.key ?? null;
}
