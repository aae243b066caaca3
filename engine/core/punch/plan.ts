/** Who punches how: both sides decide alike from both NAT reports (3-traversal, "Strategies"). A label decides the order of
 * things to try, never that nothing is tried. */
import type { FilteringBehaviour, MappingBehaviour, NatReport } from '../../../protocol/nat.ts';
import { type PunchStrategy, SOFT_SOCKETS } from '../../../protocol/punch.ts';
import { dependsOnDestination } from '../nat/fresh.ts';
import { rangesOf, sizeOf } from '../nat/ports.ts';
import type { PunchPlan } from './contract.ts';
import { probesFor } from './odds.ts';
import {
  AMBUSH_BLOCK_SHARE,
  AMBUSH_PROBES,
  AMBUSH_SOCKETS,
  BIRTHDAY_ODDS,
  BIRTHDAY_SOCKETS,
  BLOCK_PORTS,
  BLOCK_SOCKETS,
  BRACKET_PROBES,
  BRACKET_SOCKETS,
  CROSSING_ROUNDS,
  CROSSING_WINDOWS,
  DEPENDENT_PROBES,
  MAX_PROBES,
  MIN_AMBUSH_SOCKETS,
  MIN_BIRTHDAY_SOCKETS,
  MIN_SPARED_SOCKETS,
  SEEN_PROBES,
  SPARED_BELOW,
  SPARING_ODDS,
  SPARING_SOCKETS,
} from './tuning.ts';

export interface Choice {
  strategy: PunchStrategy;
  leads: boolean;
  /** The labels are supposed to be wrong: probes cost the follower nothing. */
  doubted?: true;
}

/** Null: the ordinary checks do it (no hard side), or guessing is hopeless (two that draw at random). */
export function chooseStrategy(own: NatReport, theirs: NatReport, lower: boolean): Choice | null {
  const hard = dependsOnDestination(own.mapping);
  if (hard && dependsOnDestination(theirs.mapping)) return bothHard(own, theirs, lower);
  if (!hard && !dependsOnDestination(theirs.mapping)) return null;
  const strategy = predictable(hard ? own : theirs) ? 'bracket' : 'birthday';
  return { strategy, leads: isLeader(own, theirs, lower) };
}

function bothHard(own: NatReport, theirs: NatReport, lower: boolean): Choice | null {
  if (predictable(own) && predictable(theirs)) {
    // The follower of a crossing is the one that counts.
    const leads = counts(own) === counts(theirs) ? isLeader(own, theirs, lower) : counts(theirs);
    return { strategy: 'crossing', leads };
  }
  const open = openSide(own, theirs, lower);
  if (open !== null) return { strategy: openStrategy(open, open === own ? theirs : own), leads: open === own };
  if (!predictable(own) && !predictable(theirs)) return null;
  const drawing = predictable(own) ? theirs : own;
  return likeliestPorts(drawing) <= BLOCK_PORTS ? { strategy: 'ambush', leads: drawing === own } : null;
}

/** The side of which only a port must be found: its filter does not look at the other's. Of two, one whose ports are known. */
function openSide(own: NatReport, theirs: NatReport, lower: boolean): NatReport | null {
  if (!isLenient(own) || !isLenient(theirs)) return [own, theirs].find(isLenient) ?? null;
  if (predictable(own) !== predictable(theirs)) return predictable(own) ? own : theirs;
  return isLeader(own, theirs, lower) ? own : theirs;
}

/** A filter that lets everybody in needs no luck: what a server saw of a fresh socket can be aimed at. */
function openStrategy(open: NatReport, other: NatReport): PunchStrategy {
  return predictable(open) || (open.filtering === 'endpoint-independent' && !isLenient(other)) ? 'bracket' : 'birthday';
}

/** Whoever was sent to from this NAT may answer from any port. */
export function isLenient(nat: NatReport): boolean {
  return nat.filtering === 'endpoint-independent' || nat.filtering === 'address-dependent';
}

/**
 * Both sides map by destination and neither lets an unknown port in: only people may want to gamble. `planless`: whatever the
 * labels say, plans have failed; else one that counts has its plan first, and one that is not measured yet may count.
 */
export function isLongShot(own: NatReport, theirs: NatReport, planless: boolean): boolean {
  const hard = (nat: NatReport) => dependsOnDestination(nat.mapping) && !isLenient(nat);
  const draws = ({ ports: { kind } }: NatReport) => kind === 'block' || kind === 'random';
  return [own, theirs].every((nat) => hard(nat) && (planless || draws(nat)));
}

/** Size of the range that its mappings most likely lie in. */
export function likeliestPorts(nat: NatReport): number {
  const [range] = rangesOf(nat.ports);
  return range === undefined ? 0 : sizeOf(range);
}

/**
 * Labels say that the checks suffice, and they do not: one of the mappings depends on what no server could show. Each side
 * supposes that of itself in turn; whose plan stands where both propose, the messages decide.
 */
export function doubtedStrategy(own: NatReport, theirs: NatReport, lower: boolean): Choice | null {
  const strategy = (leader: NatReport) => (predictable(leader) ? 'bracket' : 'birthday');
  if (!dependsOnDestination(own.mapping) && !dependsOnDestination(theirs.mapping)) {
    return { strategy: strategy(own), leads: true, doubted: true };
  }
  // Two servers that disagree make a mapping look so; hardly any NAT does it.
  const [ownWeak, theirsWeak] = [own, theirs].map(({ mapping }) => mapping === 'address-dependent');
  if (!ownWeak && !theirsWeak) return null;
  const leads = theirsWeak === true && (ownWeak !== true || lower);
  return { strategy: strategy(leads ? own : theirs), leads, doubted: true };
}

/** Harder mapping, then narrower filter, then lower key. */
function isLeader(own: NatReport, theirs: NatReport, lower: boolean): boolean {
  const mapping = HARDNESS[own.mapping] - HARDNESS[theirs.mapping];
  if (mapping !== 0) return mapping > 0;
  const filtering = NARROWNESS[own.filtering] - NARROWNESS[theirs.filtering];
  return filtering === 0 ? lower : filtering > 0;
}

const HARDNESS: Record<MappingBehaviour, number> = {
  none: 0,
  'endpoint-independent': 0,
  unknown: 1,
  'address-dependent': 2,
  'address-and-port-dependent': 3,
};

const NARROWNESS: Record<FilteringBehaviour, number> = {
  'endpoint-independent': 0,
  'address-dependent': 1,
  unknown: 2,
  'address-and-port-dependent': 2,
};

function counts(nat: NatReport): boolean {
  return nat.ports.kind === 'sequential';
}

/** The next port can be measured or is known. */
function predictable(nat: NatReport): boolean {
  return counts(nat) || nat.ports.kind === 'preserved';
}

/** What one member gets of the mappings that the budget has left. */
export interface Allotment {
  mappings: number;
  /** They are too few to be opened at once. */
  sparing: boolean;
}

/**
 * `waiting` members want a punch; `answers`: a mapping that is opened after the other's probes still meets them; `standing`:
 * probes that are out already.
 */
export function allot(
  strategy: PunchStrategy,
  own: NatReport,
  left: number,
  waiting: number,
  { answers, standing }: { answers: boolean; standing: number },
): Allotment {
  const share = Math.floor(left / waiting);
  const wanted = socketsOf(strategy, likeliestPorts(own));
  const few = standing > 0 || share < Math.min(wanted, SPARED_BELOW);
  const sparing = strategy === 'birthday' && answers && few;
  const mappings = sparing ? SPARING_SOCKETS : Math.max(share, MIN_BIRTHDAY_SOCKETS);
  return { mappings: Math.min(left, mappings), sparing };
}

export interface PlanLimits extends Allotment {
  /** Own mappings that likely stand. */
  used: number;
  /** Hard-NAT punching is switched on. */
  hardNat: boolean;
  /** Every probe costs the other side a mapping. */
  dependent: boolean;
  /** Probes of the other's that need not be sent again. */
  standing: number;
}

/** The leader's plan, or why there is none now. */
export function makePlan(
  strategy: PunchStrategy,
  own: NatReport,
  limits: PlanLimits,
  id: string,
): PunchPlan | 'off' | 'budget' {
  const ranges = rangesOf(own.ports);
  const ports = likeliestPorts(own);
  const wanted = socketsOf(strategy, ports);
  const free = strategy === 'ambush' ? Math.floor(ports * AMBUSH_BLOCK_SHARE) - limits.used : wanted;
  if (wanted > SOFT_SOCKETS && !limits.hardNat) return 'off';
  const sockets = Math.min(wanted, limits.mappings, free);
  const fewest = limits.sparing ? fewestSpared(ports, limits.standing) : FEWEST_SOCKETS[strategy];
  if (sockets < Math.min(wanted * ENOUGH[strategy], fewest)) return 'budget';
  const probes = strategy === 'bracket' && !predictable(own) ? SEEN_PROBES : probesOf(strategy, ports, sockets);
  return { id, strategy, sockets, probes: limits.dependent ? Math.min(probes, DEPENDENT_PROBES) : probes, ranges };
}

/** Share of the sockets that a strategy wants without which an attempt waits for the budget. */
const ENOUGH: Record<PunchStrategy, number> = { birthday: 1, bracket: 1, crossing: 1, ambush: 0.5 };

/** With so many it does not wait, whatever it wants. */
const FEWEST_SOCKETS: Record<PunchStrategy, number> = {
  birthday: MIN_BIRTHDAY_SOCKETS,
  bracket: 2 * BRACKET_SOCKETS,
  crossing: CROSSING_WINDOWS[0] + 2,
  ambush: MIN_AMBUSH_SOCKETS,
};

/** With all the probes that the other may send; where they are out, each mapping has its chance, and none waits for others. */
function fewestSpared(ports: number, standing: number): number {
  if (standing > 0) return MIN_SPARED_SOCKETS;
  return Math.max(MIN_SPARED_SOCKETS, probesFor(SPARING_ODDS, ports, Math.min(MAX_PROBES, ports), MAX_PROBES));
}

function socketsOf(strategy: PunchStrategy, ports: number): number {
  if (strategy === 'bracket') return 2 * BRACKET_SOCKETS;
  if (strategy === 'crossing') return CROSSING_WINDOWS[0] + 2;
  if (strategy === 'ambush') return Math.min(AMBUSH_SOCKETS, Math.ceil(ports * AMBUSH_BLOCK_SHARE));
  return ports <= BLOCK_PORTS ? BLOCK_SOCKETS : BIRTHDAY_SOCKETS;
}

function probesOf(strategy: PunchStrategy, ports: number, sockets: number): number {
  if (strategy === 'bracket') return BRACKET_PROBES;
  if (strategy === 'crossing') return CROSSING_ROUNDS * CROSSING_WINDOWS[1];
  if (strategy === 'ambush') return AMBUSH_PROBES;
  return probesFor(BIRTHDAY_ODDS, ports, sockets, MAX_PROBES);
}
