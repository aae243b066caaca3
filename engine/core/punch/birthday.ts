/**
 * A birthday punch: the leader opens mappings towards the follower's one endpoint, one from each socket; the follower probes
 * ports of the leader's address, drawn without replacement. A hit is any port that is in both, whichever came first: the
 * probe passes the leader's filter, or the leader's packet passes the follower's. Where both map by destination the leader
 * is the side whose filter does not look at ports; where neither does, the leader's pings are guesses too.
 */
import type { PortRange } from '../../../protocol/nat.ts';
import type { PunchMessage } from '../../../protocol/punch.ts';
import { PROBE_BURST, PROBES_PER_SECOND } from '../budget.ts';
import { sizeOf } from '../nat/ports.ts';
import type { Endpoint } from '../peer/contract.ts';
import type { PunchPlan, PunchProgress, Tactic, TacticContext } from './contract.ts';
import { PortDraw } from './draw.ts';
import { either, mixedOdds, probesFor, shareOf } from './odds.ts';
import { Openings } from './openings.ts';
import { latest, ProgressReports } from './progress.ts';
import {
  AFTERGLOW_MS,
  AGAIN_FOR_MS,
  BATCH_MS,
  BATCH_ODDS,
  BURST_ODDS,
  HEAD_START_MS,
  MAX_PROBES,
  OPENINGS_MS,
  SPENT_GRACE_MS,
} from './tuning.ts';

export class BirthdayLeader implements Tactic {
  readonly #context: TacticContext;
  readonly #openings: Openings;
  /** What is aimed at in turn; the mappings towards one of them count. */
  readonly #endpoints: readonly Endpoint[];
  #probes = 0;
  #spentAt = Number.POSITIVE_INFINITY;
  /** The word for it does not come any more. */
  #lateAt = Number.POSITIVE_INFINITY;
  readonly #progress: ProgressReports;

  constructor(context: TacticContext) {
    this.#context = context;
    const { followerRanges, remote, random } = context;
    const draw = followerRanges === null ? null : new PortDraw(followerRanges, random);
    this.#endpoints = endpointsOf(context);
    // Neighbours differ in their TTL (`openingTtl`).
    const endpoint = (index: number) => this.#endpoints[(index >> 1) % this.#endpoints.length] ?? remote;
    this.#openings = new Openings(context, (index) => {
      return draw === null ? endpoint(index) : { ip: remote.ip, port: draw.next() ?? remote.port };
    });
    this.#progress = new ProgressReports(context);
  }

  begin(now: number): void {
    if (this.#context.sparing) {
      this.#lateAt = now + (this.#context.plan.probes * 1_000) / PROBES_PER_SECOND + SPENT_GRACE_MS;
    }
    this.#openings.begin(now);
    this.tick(now);
  }

  message(now: number, message: PunchMessage): void {
    if (message.t !== 'punch-progress') return;
    this.#probes = latest(this.#probes, message.count, this.#context.plan.probes);
    if (!message.done || Number.isFinite(this.#spentAt)) return;
    this.#spent(now);
    // Every one of its probes has made a mapping by now, which was not there when this side guessed at it.
    if (this.#context.followerRanges !== null) this.#openings.again(now);
  }

  #spent(now: number): void {
    this.#spentAt = now;
    if (this.#context.sparing) this.#openings.spent(now);
  }

  opened(now: number, sockets: { id: number; port: number }[]): void {
    this.#openings.opened(now, sockets);
  }

  mapped(): void {}

  tick(now: number): void {
    if (now >= this.#lateAt && !Number.isFinite(this.#spentAt)) this.#spent(now);
    if (this.#openings.tick(now)) this.#progress.tell(now, this.#openings.count, this.#openings.complete);
  }

  wakeAt(): number {
    return this.#openings.wakeAt();
  }

  exhausted(now: number): boolean {
    if (this.#openings.hopeless) return true;
    const againMs = this.#context.followerRanges === null ? 0 : AGAIN_FOR_MS;
    const openedAt = this.#openings.endedAt(now);
    return openedAt !== null && now > Math.max(this.#spentAt + againMs, openedAt) + AFTERGLOW_MS;
  }

  progress(): PunchProgress {
    const { plan, followerRanges } = this.#context;
    const mappings = this.#openings.count;
    const meeting = Math.floor(mappings / this.#endpoints.length);
    const forth = mixedOdds(plan.ranges, meeting, shareOf(this.#probes, plan.ranges));
    const odds = either(forth, oddsBack(followerRanges, mappings, this.#probes));
    return { probesSent: this.#probes, probesMax: plan.probes, mappings, odds };
  }
}

export class BirthdayFollower implements Tactic {
  readonly #context: TacticContext;
  readonly #draw: PortDraw;
  readonly #pace: { burst: number; batch: number };
  #nextAt = Number.POSITIVE_INFINITY;
  #done = false;
  #mappings = 0;
  readonly #progress: ProgressReports;

  constructor(context: TacticContext) {
    this.#context = context;
    this.#draw = new PortDraw(context.plan.ranges, context.random);
    this.#pace = paceOf(context.plan);
    this.#progress = new ProgressReports(context);
  }

  /** From a mapping by destination a probe only meets what is open already: nothing that is sent later can pass it. */
  begin(now: number): void {
    const few = this.#pace.burst < PROBE_BURST;
    this.#nextAt = now + (this.#context.dependent ? OPENINGS_MS : few ? HEAD_START_MS : 0);
    this.tick(now);
  }

  message(now: number, message: PunchMessage): void {
    if (message.t !== 'punch-progress') return;
    this.#mappings = latest(this.#mappings, message.count, this.#context.plan.sockets);
    if (message.done && this.#draw.count === 0) this.#nextAt = now;
  }

  opened(): void {}

  mapped(): void {}

  tick(now: number): void {
    if (now < this.#nextAt) return;
    const { plan, budget, dependent } = this.#context;
    const left = Math.min(plan.probes - this.#draw.count, budget.remotesLeft(now, dependent));
    const due = this.#draw.count === 0 ? this.#pace.burst : this.#pace.batch;
    for (let may = Math.min(due, budget.probes(now), left); may > 0 && !this.#done; may--) this.#probe();
    this.#done ||= left <= 0;
    this.#nextAt = this.#done ? Number.POSITIVE_INFINITY : now + BATCH_MS;
    this.#progress.tell(now, this.#draw.count, this.#done);
  }

  #probe(): void {
    const port = this.#draw.next();
    if (port === null) this.#done = true;
    else this.#context.act({ type: 'ping', socket: 0, remote: { ip: this.#context.remote.ip, port } });
  }

  wakeAt(): number {
    return this.#nextAt;
  }

  exhausted(): boolean {
    return false;
  }

  progress(): PunchProgress {
    const { ranges, probes } = this.#context.plan;
    const forth = mixedOdds(ranges, this.#mappings, (range) => this.#draw.countIn(range));
    const odds = either(forth, oddsBack(this.#context.followerRanges, this.#mappings, this.#draw.count));
    return { probesSent: this.#draw.count, probesMax: probes, mappings: this.#mappings, odds };
  }
}

/**
 * Where servers see the follower differently one of them may lie. All of many mappings towards the wrong endpoint meet nothing,
 * half of them towards the right one nearly always meet; so after a failure each endpoint gets its part. Not where mappings are
 * short, or were opened towards one of them before.
 */
function endpointsOf({ remote, elsewhere, failures, sparing, reused, followerRanges }: TacticContext): Endpoint[] {
  const divided = failures > 0 && !sparing && reused.length === 0 && followerRanges === null;
  return divided ? [remote, ...elsewhere] : [remote];
}

/**
 * What leaves before the answer to a hit is wasted: where a few probes meet, as in a block, they leave no faster than they
 * are needed. Over all ports only the budget bounds them.
 */
function paceOf({ ranges, sockets }: PunchPlan): { burst: number; batch: number } {
  const [likeliest] = ranges;
  const ports = likeliest === undefined ? 1 : sizeOf(likeliest);
  return {
    burst: probesFor(BURST_ODDS, ports, sockets, MAX_PROBES),
    batch: probesFor(BATCH_ODDS, ports, sockets, MAX_PROBES),
  };
}

/** Of a leader's ping on one of the mappings that the follower's probes made. */
function oddsBack(followerRanges: readonly PortRange[] | null, pings: number, mappings: number): number {
  return followerRanges === null ? 0 : mixedOdds(followerRanges, mappings, shareOf(pings, followerRanges));
}
