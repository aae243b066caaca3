import { type NatReport, type PortRange, UNKNOWN_NAT } from '../protocol/nat.ts';
import { type PunchRefusal, SOFT_SOCKETS } from '../protocol/punch.ts';
import type { Budget, Dependence } from './core/budget.ts';
import { dependsOnDestination } from './core/nat/fresh.ts';
import { rangesOf } from './core/nat/ports.ts';
import { CONNECTING_MS } from './core/peer/tuning.ts';
import type { PunchPlan } from './core/punch/contract.ts';
import { type Networks, networksOf } from './core/punch/networks.ts';
import { type Choice, chooseStrategy, doubtedStrategy, isLenient } from './core/punch/plan.ts';
import type { Schedule } from './core/punch/schedule.ts';
import {
  AMBUSH_PROBES,
  CROSSING_WINDOWS,
  DEAR_PROBES,
  DOUBTS,
  GUESS_TURNS,
  PATIENCE_MS,
  WORTHWHILE_SHARE,
} from './core/punch/tuning.ts';
import type { PeerKey } from './core/room/contract.ts';
import type { Member } from './member.ts';
import type { Members } from './members.ts';
import type { Endpoint } from './ports.ts';

export interface PunchChoicesOptions {
  schedule: Pick<Schedule, 'failures' | 'tries' | 'quietMs' | 'lastOutcome' | 'mayAccept'>;
  budget: Pick<Budget, 'mappingsLeft' | 'remotesLeft'>;
  members: Pick<Members, 'all'>;
  ownKey: PeerKey;
  nat(): NatReport;
  /** Own mappings depend on the destination, or are not known not to. */
  dependentMappings(): Dependence;
  /** NAT discovery is done: what is unknown now stays unknown. */
  settled(): boolean;
  settings(): { hardNat: boolean; relayOnly: boolean };
}

/** Which plan this side would propose to a member, and which of a member's it would accept: from both reports, the budget and what was tried. */
export class PunchChoices {
  readonly #options: PunchChoicesOptions;

  constructor(options: PunchChoicesOptions) {
    this.#options = options;
  }

  // Own plans

  /** A member without a direct path that this side would lead a punch with. */
  mayLead(now: number, member: Member): boolean {
    if (member.routes.length === 0) return false;
    if (this.choose(now, member)?.leads !== true) return false;
    const { nat, settled } = this.#options;
    return nat().ports.kind !== 'unknown' || settled();
  }

  choose(now: number, member: Member): Choice | null {
    const { ownKey, nat } = this.#options;
    const theirs = member.core.nat();
    if (!member.proven || theirs === null || member.core.direct() || this.target(member) === null) return null;
    const lower = ownKey < member.key;
    const choice = chooseStrategy(nat(), theirs, lower);
    const doubted = this.#doubts(member.key) ? doubtedStrategy(nat(), theirs, lower) : null;
    if (choice === null) return doubted !== null && checksFailed(now, member) ? doubted : null;
    const guessed = choice.strategy === 'crossing' || choice.strategy === 'ambush';
    return guessed && doubted !== null && this.#yields(now, member.key) ? doubted : choice;
  }

  /**
   * Whether a guess by the labels leaves the turn to what doubts them: it takes nearly all mappings, so that one of four is enough.
   * Both sides count the same attempts; where they do not, whoever leads by the labels waits no longer than one that is due.
   */
  #yields(now: number, key: PeerKey): boolean {
    const { schedule } = this.#options;
    return schedule.tries(key) % GUESS_TURNS !== 0 && schedule.quietMs(now, key) < PATIENCE_MS;
  }

  /** Whether labels that promise a path without a punch are worth another doubt. */
  #doubts(key: PeerKey): boolean {
    return this.#options.settings().hardNat && this.#options.schedule.failures(key) < DOUBTS;
  }

  /** By the toggle, whoever would lead: a bracket needs few sockets. */
  forbids(member: Member): boolean {
    const { settings, nat, ownKey } = this.#options;
    const theirs = member.core.nat();
    if (settings().hardNat || theirs === null) return false;
    const choice = chooseStrategy(nat(), theirs, ownKey < member.key);
    return choice !== null && choice.strategy !== 'bracket';
  }

  /** Nothing but doubts was left to try, and all of them have had their turn. */
  despairs(member: Member): boolean {
    const theirs = member.core.nat();
    const promised =
      theirs !== null && ![this.#options.nat(), theirs].some(({ mapping }) => dependsOnDestination(mapping));
    return promised && this.#options.schedule.failures(member.key) >= DOUBTS;
  }

  /** A public endpoint of the member, another at each try: servers may see it differently. One behind our own NAT is reached by other ways. */
  target(member: Member): Endpoint | null {
    return this.targets(member)[0] ?? null;
  }

  /** That one, and the others. */
  targets(member: Member): Endpoint[] {
    const { hairpin, publicAddresses } = this.#options.nat();
    const endpoints = member.core.endpoints().filter(({ ip }) => hairpin === true || !publicAddresses.includes(ip));
    const first = this.#options.schedule.tries(member.key) % Math.max(1, endpoints.length);
    return [...endpoints.slice(first), ...endpoints.slice(0, first)];
  }

  /**
   * A counter that was none, because answers were lost, is found by guessing, and so is the way where a filter lets everybody in
   * but answers leave by another mapping. Where a filter only seems to look at addresses (a server with one cannot tell), one
   * attempt supposes that it does not: after a failure, or instead of a wait for the budget, because it costs next to nothing.
   */
  strategy(now: number, { strategy, doubted }: Choice, member: Member): Choice['strategy'] {
    const failures = this.#options.schedule.failures(member.key);
    // Of two that both seem hard every other attempt doubts it.
    const before = doubted === true && member.core.bothDependent() ? failures >> 1 : failures;
    if (strategy === 'bracket') return before % 2 === 1 && this.#options.settings().hardNat ? 'birthday' : strategy;
    const theirs = member.core.view(now).nat;
    if (!isLenient(this.#options.nat()) || theirs === null || isLenient(theirs)) return strategy;
    const short = failures < 2 && this.#options.schedule.lastOutcome(member.key) === 'budget';
    return short || (failures === 1 && member.core.bothDependent()) ? 'bracket' : strategy;
  }

  /**
   * Own report as a plan is made from it. How ports are drawn is a label like the others: what is guessed because a counter
   * failed, or fails to meet, may lie anywhere. Two tries in a row, because two in a row aim at different endpoints.
   */
  believed(choice: Choice, strategy: Choice['strategy'], key: PeerKey): NatReport {
    const nat = this.#options.nat();
    const { kind } = nat.ports;
    const failures = this.#options.schedule.failures(key);
    const counted = kind === 'sequential' || kind === 'preserved';
    const failed = choice.doubted === true ? failures % 4 >= 2 : failures % 4 === 3;
    return strategy === 'birthday' && (counted || failed) ? { ...nat, ports: UNKNOWN_NAT.ports } : nat;
  }

  /** Members that will want a punch from this side's budget: those that it would lead, and those that nothing is known of. */
  waiting(now: number): number {
    const waiting = [...this.#options.members.all().values()].filter((member) => {
      if (member.core.direct()) return false;
      return member.core.nat() === null || this.choose(now, member)?.leads === true;
    });
    return Math.max(1, waiting.length);
  }

  // Others' plans

  refusal(now: number, member: Member, plan: PunchPlan, remote: Endpoint | null, busy: boolean): PunchRefusal | null {
    const { settings, budget } = this.#options;
    const { hardNat, relayOnly } = settings();
    if (relayOnly || (plan.sockets > SOFT_SOCKETS && !hardNat)) return 'off';
    if (member.core.direct()) return 'direct';
    if (remote === null) return 'no-address';
    if (busy) return 'busy';
    if (!this.#options.schedule.mayAccept(now, member.key)) return 'later';
    if (plan.strategy === 'ambush')
      return budget.mappingsLeft(now) < AMBUSH_PROBES * WORTHWHILE_SHARE ? 'budget' : null;
    if (plan.strategy === 'crossing') return budget.mappingsLeft(now) < CROSSING_WINDOWS[0] ? 'budget' : null;
    // The leader's mappings are dearer than a wait.
    const left = budget.remotesLeft(now, this.#options.dependentMappings());
    return left < Math.min(plan.probes * WORTHWHILE_SHARE, this.#worthwhileProbes()) ? 'budget' : null;
  }

  /** Where every probe may cost a mapping there are never more. */
  #worthwhileProbes(): number {
    return this.#options.dependentMappings() === true ? DEAR_PROBES : Number.POSITIVE_INFINITY;
  }

  // Either's

  networks(member: Member): Networks | null {
    const theirs = member.core.nat();
    return theirs === null ? null : networksOf(this.#options.nat(), theirs);
  }

  /** Where the follower's mappings may lie, if neither filter looks at ports. */
  followerRanges(member: Member, role: 'leader' | 'follower'): PortRange[] | null {
    const theirs = member.core.nat();
    const own = this.#options.nat();
    if (theirs === null || !member.core.bothDependent() || !isLenient(own) || !isLenient(theirs)) return null;
    return rangesOf((role === 'leader' ? theirs : own).ports);
  }
}

/** At the beginning, or since a path was lost, for so long that they hardly find one any more. */
function checksFailed(now: number, { core }: Member): boolean {
  const { reason, path } = core.view(now);
  if (reason === 'path-lost') return path !== null && now - path.since >= CONNECTING_MS;
  return reason === 'no-answer' || reason === 'hard-nat-pair';
}
