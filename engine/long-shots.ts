import { WarrenError } from '../protocol/errors.ts';
import type { LongShotAction, LongShotAdvice, LongShotEnd, LongShotView } from '../protocol/long-shot.ts';
import type { NatReport } from '../protocol/nat.ts';
import { LONG_SHOT_ASK_MS, type PunchMessage, type PunchRefusal } from '../protocol/punch.ts';
import type { Budget } from './core/budget.ts';
import type { PunchOutcome, PunchPlan } from './core/punch/contract.ts';
import { type LongShotSide, longShotOdds, longShotSeconds, longShotSide } from './core/punch/long-shot.ts';
import { isLongShot } from './core/punch/plan.ts';
import { LONG_SHOT_PEACE_MS, LONG_SHOT_REPEAT_MS, LONG_SHOT_WORTHWHILE } from './core/punch/tuning.ts';
import type { PeerKey } from './core/room/contract.ts';
import type { Member } from './member.ts';
import type { Members } from './members.ts';
import type { ClockPort, RandomPort } from './ports.ts';
import type { Punches } from './punches.ts';

export interface LongShotsOptions {
  clock: ClockPort;
  random: RandomPort;
  budget: Pick<Budget, 'longShotLeft'>;
  members: Pick<Members, 'all' | 'get'>;
  punches: Pick<Punches, 'shoot' | 'stopShot' | 'shooting' | 'reachable' | 'failed' | 'view'>;
  ownKey: PeerKey;
  nat(): NatReport;
  settings(): { hardNat: boolean; relayOnly: boolean };
  send(peer: PeerKey, message: PunchMessage): void;
  changed(): void;
}

type Asked = Extract<PunchMessage, { t: 'punch-request' }>;
type Agreed = Extract<PunchMessage, { t: 'punch-agree' }>;
type Side = { mappings: number; ranges: PunchPlan['ranges'] };

/** One request of this side's user. */
interface Asking {
  key: PeerKey;
  id: string;
  own: Side;
  until: number;
  repeatAt: number;
}

/** The attempt under way. */
interface Running {
  role: 'leader' | 'follower';
  /** What began it, should it be lost on its way to the leader. */
  answer: Agreed | null;
  /** The other has ended it before it was over. */
  cut: boolean;
}

/**
 * How two people agree on a long shot:
 *
 * 1. One side's user asks (`punch-request`); the other's is shown the odds and the cost, and nothing else happens.
 * 2. That user says yes (`punch-agree`), and both sides begin; or no (`punch-refuse`), or nothing for a minute.
 * 3. Two users that ask each other have both said yes: the lower key's request stands.
 *
 * Either may end it at any time (`punch-end`). The attempt itself is `Punches`'.
 */
export class LongShots {
  readonly #options: LongShotsOptions;
  #asking: Asking | null = null;
  /** Requests of others that wait for this side's user. */
  readonly #asked = new Map<PeerKey, { request: Asked; until: number }>();
  readonly #last = new Map<PeerKey, LongShotEnd>();
  /** Members whose request was declined, and until when they are not heard again. */
  readonly #peace = new Map<PeerKey, number>();
  #running: Running | null = null;

  constructor(options: LongShotsOptions) {
    this.#options = options;
  }

  // What this side's user wants

  /** Throws WarrenError: `hard-nat-off`, `unsupported` (no pair for it), `busy`. */
  command(key: PeerKey, action: LongShotAction): null {
    if (action === 'stop') this.#stop(key);
    else this.#start(key);
    this.#options.changed();
    return null;
  }

  #start(key: PeerKey): void {
    const { members, settings, punches } = this.#options;
    if (!settings().hardNat) throw new WarrenError('hard-nat-off', 'NAT4 punching is switched off');
    const member = members.get(key);
    if (member === undefined || !this.#suits(member))
      throw new WarrenError('unsupported', 'a long shot is for two strict NATs without a better way');
    if (punches.shooting()?.key === key || this.#asking?.key === key) return;
    if (punches.shooting() !== null || this.#asking !== null)
      throw new WarrenError('busy', 'another long shot is under way');
    const own = this.#ownSide();
    if (own === null) throw new WarrenError('busy', 'the router still keeps what the last long shot opened');
    const asked = this.#asked.get(key);
    if (asked === undefined) this.#ask(key, own);
    else this.#agree(key, asked.request, own);
  }

  #ask(key: PeerKey, own: Side): void {
    const now = this.#options.clock.now();
    const id = Buffer.from(this.#options.random(8)).toString('hex');
    this.#last.delete(key);
    this.#asking = { key, id, own, until: now + LONG_SHOT_ASK_MS, repeatAt: now };
    this.#repeat(now, this.#asking);
  }

  #repeat(now: number, asking: Asking): void {
    asking.repeatAt = now + LONG_SHOT_REPEAT_MS;
    this.#options.send(asking.key, { t: 'punch-request', id: asking.id, ...asking.own });
  }

  #stop(key: PeerKey): void {
    const { punches, send, clock } = this.#options;
    const asked = this.#asked.get(key);
    if (asked !== undefined) {
      this.#asked.delete(key);
      this.#peace.set(key, clock.now() + LONG_SHOT_PEACE_MS);
      send(key, { t: 'punch-refuse', id: asked.request.id, code: 'declined' });
    }
    if (this.#asking?.key === key) this.#withdraw('withdrawn');
    if (punches.shooting()?.key === key) punches.stopShot();
  }

  #withdraw(why: LongShotEnd): void {
    if (this.#asking === null) return;
    const { key, id } = this.#asking;
    this.#asking = null;
    this.#last.set(key, why);
    this.#options.send(key, { t: 'punch-end', id });
    this.#options.changed();
  }

  // What the other's user wants

  /** True where the message was about a request; attempts under way are `Punches`'. */
  message(key: PeerKey, message: PunchMessage): boolean {
    switch (message.t) {
      case 'punch-request':
        this.#requested(key, message);
        return true;
      case 'punch-agree':
        this.#agreed(key, message);
        return true;
      case 'punch-refuse':
        return this.#answered(key, message.id, END_OF[message.code]);
      case 'punch-end':
        return this.#ended(key, message.id);
      default:
        return false;
    }
  }

  #requested(key: PeerKey, request: Asked): void {
    const { clock, members, punches, send, ownKey, changed } = this.#options;
    const now = clock.now();
    const member = members.get(key);
    if (member?.proven !== true) return;
    const answer = punches.shooting()?.id === request.id ? this.#running?.answer : null;
    if (answer != null) return send(key, answer);
    if (this.#asking?.key === key) {
      // Both have said yes. The lower key's request stands.
      const own = this.#asking.own;
      if (ownKey > key) this.#agree(key, request, own);
      return;
    }
    const earlier = this.#asked.get(key);
    if (earlier?.request.id === request.id) return;
    const code = this.#refusal(now, member);
    if (code !== null) return send(key, { t: 'punch-refuse', id: request.id, code });
    // Another id does not prolong what nobody answers.
    this.#asked.set(key, { request, until: earlier?.until ?? now + LONG_SHOT_ASK_MS });
    this.#last.delete(key);
    changed();
  }

  #refusal(now: number, member: Member): PunchRefusal | null {
    const { settings, punches } = this.#options;
    const { hardNat, relayOnly } = settings();
    if (!hardNat || relayOnly) return 'off';
    if ((this.#peace.get(member.key) ?? 0) > now) return 'declined';
    if (member.core.direct()) return 'direct';
    // Labels differ, and errors in them: what the other side thinks possible is.
    if (!this.#suits(member, true)) return 'no-address';
    if (punches.shooting() !== null) return 'busy';
    return this.#ownSide() === null ? 'budget' : null;
  }

  #agree(key: PeerKey, request: Asked, own: Side): void {
    this.#asking = null;
    this.#asked.delete(key);
    const { id, mappings, ranges } = request;
    const answer = { t: 'punch-agree' as const, id, ...own };
    this.#options.send(key, answer);
    this.#running = { role: 'follower', answer, cut: false };
    this.#shoot(key, 'follower', id, { mappings, ranges }, own);
  }

  #agreed(key: PeerKey, { id, mappings, ranges }: Agreed): void {
    const { punches, send } = this.#options;
    if (punches.shooting()?.id === id) return;
    const asking = this.#asking;
    if (asking?.key !== key || asking.id !== id) return send(key, { t: 'punch-end', id });
    this.#asking = null;
    // A yes that comes back across its own request answers that too.
    this.#asked.delete(key);
    this.#running = { role: 'leader', answer: null, cut: false };
    this.#shoot(key, 'leader', id, asking.own, { mappings, ranges });
  }

  #shoot(key: PeerKey, role: 'leader' | 'follower', id: string, leader: Side, follower: Side): void {
    const plan = {
      id,
      strategy: 'long-shot' as const,
      sockets: leader.mappings,
      probes: follower.mappings,
      ranges: leader.ranges,
    };
    const ended = (outcome: PunchOutcome) => this.#over(key, outcome);
    this.#last.delete(key);
    const begun = this.#options.punches.shoot({ key, role, plan, followerRanges: follower.ranges, ended });
    if (!begun) {
      this.#last.set(key, 'unreachable');
      this.#options.send(key, { t: 'punch-end', id });
    }
    this.#options.changed();
  }

  #over(key: PeerKey, outcome: PunchOutcome): void {
    const stopped = outcome === 'stopped' || (outcome !== 'direct' && this.#running?.cut === true);
    this.#running = null;
    this.#last.set(key, outcome === 'direct' ? outcome : stopped ? 'stopped' : 'exhausted');
    this.#options.changed();
  }

  /** An answer to this side's request. */
  #answered(key: PeerKey, id: string, end: LongShotEnd): boolean {
    if (this.#asking?.key !== key || this.#asking.id !== id) return false;
    this.#asking = null;
    this.#last.set(key, end);
    this.#options.changed();
    return true;
  }

  /** The request is taken back, or the attempt has been ended, which `Punches` does. */
  #ended(key: PeerKey, id: string): boolean {
    const { punches } = this.#options;
    if (punches.shooting()?.id === id && this.#running !== null) {
      const view = punches.view(key);
      // By itself it ends when all is open, and by the leader's word.
      this.#running.cut = this.#running.role === 'leader' || (view !== null && view.probesSent < view.probesMax);
      return false;
    }
    if (this.#asked.get(key)?.request.id !== id) return this.#answered(key, id, 'unreachable');
    this.#asked.delete(key);
    this.#last.set(key, 'withdrawn');
    this.#options.changed();
    return true;
  }

  // What time brings

  /** Called now and then. */
  review(): void {
    const { clock, members, punches, settings, changed } = this.#options;
    const now = clock.now();
    const gone = (key: PeerKey) => {
      const member = members.get(key);
      return member === undefined || member.core.direct();
    };
    if (this.#asking !== null && gone(this.#asking.key)) this.#withdraw('withdrawn');
    if (this.#asking !== null && now >= this.#asking.until) this.#withdraw('expired');
    if (this.#asking !== null && now >= this.#asking.repeatAt) this.#repeat(now, this.#asking);
    for (const [key, { until }] of this.#asked) {
      if (now < until && !gone(key)) continue;
      this.#asked.delete(key);
      if (now >= until) this.#last.set(key, 'expired');
      changed();
    }
    if (!settings().hardNat || settings().relayOnly) {
      this.#withdraw('off');
      if (punches.shooting() !== null) punches.stopShot();
    }
    for (const key of this.#last.keys()) if (members.get(key) === undefined) this.#last.delete(key);
    for (const [key, until] of this.#peace) if (until <= now) this.#peace.delete(key);
  }

  // What people see

  /** Null where there is nothing to gamble for: a direct path, a better way, or a NAT that is not known. */
  view(key: PeerKey): LongShotView | null {
    const { members, clock, nat } = this.#options;
    const member = members.get(key);
    const theirs = member?.core.nat();
    if (member === undefined || theirs == null || !this.#suits(member)) return null;
    const sides: [LongShotSide, LongShotSide] = [longShotSide(nat()), longShotSide(theirs)];
    const until = this.#asked.get(key)?.until ?? (this.#asking?.key === key ? this.#asking.until : null);
    return {
      state: this.#state(key),
      odds: longShotOdds(...sides),
      mappings: sides[0].mappings,
      theirMappings: sides[1].mappings,
      seconds: longShotSeconds(...sides),
      until: until === null ? null : Math.round(clock.epoch() + until - clock.now()),
      advice: adviceFor(nat(), theirs),
      last: this.#last.get(key) ?? null,
    };
  }

  #state(key: PeerKey): LongShotView['state'] {
    if (this.#options.punches.shooting()?.key === key) return 'running';
    if (this.#asked.has(key)) return 'asked';
    return this.#asking?.key === key ? 'asking' : 'possible';
  }

  /** No plan reaches this member, and chance might. */
  #suits(member: Member, planless = this.#planless(member.key)): boolean {
    const { nat, settings, punches } = this.#options;
    const theirs = member.core.nat();
    if (!member.proven || theirs === null || member.core.direct() || settings().relayOnly) return false;
    return isLongShot(nat(), theirs, planless) && punches.reachable(member);
  }

  /** A plan has failed, here or at the other's: they asked. */
  #planless(key: PeerKey): boolean {
    return this.#options.punches.failed(key) || this.#last.has(key) || this.#state(key) !== 'possible';
  }

  /** Null while the router still keeps most of what the last one opened. */
  #ownSide(): Side | null {
    const { budget, clock, nat } = this.#options;
    const { mappings, ranges } = longShotSide(nat());
    const left = Math.min(mappings, budget.longShotLeft(clock.now()));
    return left < mappings * LONG_SHOT_WORTHWHILE ? null : { mappings: left, ranges };
  }
}

const END_OF: Record<PunchRefusal, LongShotEnd> = {
  declined: 'declined',
  off: 'off',
  budget: 'budget',
  busy: 'busy',
  later: 'busy',
  direct: 'direct',
  'no-address': 'unreachable',
};

/** What would make a direct path without a gamble, surest first. */
function adviceFor(own: NatReport, theirs: NatReport): LongShotAdvice[] {
  const advice: LongShotAdvice[] = [];
  if (!own.ipv6 || !theirs.ipv6) advice.push('ipv6');
  if (own.portMapping.state !== 'active') advice.push('port-mapping-here');
  if (theirs.portMapping.state !== 'active') advice.push('port-mapping-there');
  return advice;
}
