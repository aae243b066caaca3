/**
 * A counter against drawn ports. The leader draws its ports and cannot know them; the follower counts and can be foreseen:
 *
 * 1. Two measurements of the follower's counter, a moment apart, show the traffic of others on it.
 * 2. The leader opens all its mappings, one from each socket, towards the one port that the counter will reach when they
 *    stand, and some more.
 * 3. Another measurement tells how far that is. The counter comes nearer by the traffic of others, until a burst reaches the
 *    port: the follower pings so many ports of the leader's model from one socket, each a mapping of its own, and the counter
 *    passes the port. The probe that leaves by it is a hit if its port is among the leader's. Ports towards one destination
 *    are distinct, so P = b / N, unless somebody else's packet has left by that one.
 *
 * A follower whose NAT keeps the port of a fresh socket is foreseen without measuring: one ping does it.
 */
import { PUNCH_LIMITS, type PunchMessage } from '../../../protocol/punch.ts';
import { PROBES_PER_SECOND } from '../budget.ts';
import type { PunchProgress, Tactic, TacticContext } from './contract.ts';
import { after, countTo } from './counter.ts';
import { PortDraw } from './draw.ts';
import { mixedOdds } from './odds.ts';
import { Openings } from './openings.ts';
import { ProgressReports } from './progress.ts';
import {
  AMBUSH_ASK_MS,
  AMBUSH_ASKS,
  AMBUSH_BURST,
  AMBUSH_DEVIATIONS,
  AMBUSH_MARGIN,
  AMBUSH_NEAR_MS,
  AMBUSH_RATE_MS,
  CROSSING_SLACK,
  MEASURE_MS,
  ROUND_MS,
} from './tuning.ts';

interface Reading {
  port: number;
  step: number;
  at: number;
}

type Stage =
  /** A measurement was asked for: to be answered by then, or asked for again. */
  | { name: 'asked'; until: number }
  /** Before another measurement. */
  | { name: 'resting'; until: number }
  | { name: 'opening' }
  /** All mappings stand, and the counter is on its way. */
  | { name: 'waiting'; until: number }
  /** The follower pings; a counter may still be short of the port after that. */
  | { name: 'aimed'; until: number }
  | { name: 'over' };

export class AmbushLeader implements Tactic {
  readonly #context: TacticContext;
  readonly #openings: Openings;
  readonly #draw: PortDraw;
  readonly #progress: ProgressReports;
  #stage: Stage = { name: 'over' };
  #asks = 0;
  #askedAt = 0;
  #aims = 0;
  #first: Reading | null = null;
  /** The follower's port at which all mappings wait. */
  #target: number | null = null;

  constructor(context: TacticContext) {
    this.#context = context;
    const { ip, port } = context.remote;
    this.#openings = new Openings(context, () => ({ ip, port: this.#target ?? port }));
    this.#draw = new PortDraw(context.plan.ranges, context.random);
    this.#progress = new ProgressReports(context);
  }

  begin(now: number): void {
    this.#ask(now);
  }

  #ask(now: number): void {
    if (this.#asks >= AMBUSH_ASKS) {
      this.#stage = { name: 'over' };
      return;
    }
    this.#asks += 1;
    this.#askedAt = now;
    this.#stage = { name: 'asked', until: now + AMBUSH_ASK_MS };
    this.#context.act({ type: 'send', message: { t: 'punch-ask', id: this.#context.plan.id, round: this.#asks } });
  }

  message(now: number, message: PunchMessage): void {
    if (message.t !== 'punch-counter' || this.#stage.name !== 'asked' || message.round !== this.#asks) return;
    const { port, step } = message;
    if (this.#target !== null) this.#release(now, { port, step, at: now });
    else if (step === 0) this.#open(now, port);
    else if (this.#first === null) {
      this.#first = { port, step, at: now };
      this.#stage = { name: 'resting', until: now + AMBUSH_RATE_MS };
    } else this.#open(now, foresee(this.#first, { port, step, at: now }, this.#context.plan.sockets));
  }

  #open(now: number, target: number): void {
    this.#target = target;
    this.#stage = { name: 'opening' };
    this.#openings.begin(now);
    this.tick(now);
  }

  opened(now: number, sockets: { id: number; port: number }[]): void {
    this.#openings.opened(now, sockets);
  }

  mapped(): void {}

  /** All mappings stand, and the counter is there: the nearer it has come by itself, the fewer can take the port. */
  #release(now: number, reading: Reading): void {
    const { port, step } = reading;
    if (this.#target === null || step === 0) return;
    const left = countTo(port, this.#target, step);
    if (left <= 0) {
      this.#stage = { name: 'over' };
      return;
    }
    const rate = this.#rate(reading);
    // The measurement is as old as its way here, and the answer has that way to go.
    const meanwhile = rate * (now - this.#askedAt);
    const ahead = left - meanwhile;
    if (ahead > AMBUSH_BURST && rate > 0) this.#await(now, (ahead - AMBUSH_BURST / 2) / rate);
    else this.#aim(now, Math.ceil(Math.max(0, ahead) + AMBUSH_DEVIATIONS * Math.sqrt(meanwhile)) + CROSSING_SLACK);
  }

  /** Until the counter has come near; what is far cannot be foreseen from here. */
  #await(now: number, waitMs: number): void {
    const measureMs = now - this.#askedAt + AMBUSH_NEAR_MS;
    const again = waitMs > measureMs && this.#asks < AMBUSH_ASKS;
    if (again) this.#stage = { name: 'resting', until: now + waitMs - measureMs };
    else this.#stage = { name: 'waiting', until: now + waitMs };
  }

  /** Ports a millisecond that others take, since the first measurement; each of the later ones took one itself. */
  #rate({ port, step, at }: Reading): number {
    if (this.#first === null) return 0;
    const foreign = countTo(this.#first.port, port, step) - (this.#asks - 1) - this.#aims;
    return Math.max(0, foreign) / Math.max(1, at - this.#first.at);
  }

  #aim(now: number, wanted: number): void {
    const { plan, act } = this.#context;
    const count = Math.min(wanted, PUNCH_LIMITS.aims, plan.probes - this.#aims);
    const ports = Array.from({ length: count }, () => this.#draw.next()).filter((port) => port !== null);
    this.#aims += ports.length;
    if (ports.length === 0) {
      this.#stage = { name: 'over' };
      return;
    }
    act({ type: 'send', message: { t: 'punch-aim', id: plan.id, round: this.#asks, ports } });
    this.#stage = { name: 'aimed', until: now + ROUND_MS };
  }

  tick(now: number): void {
    switch (this.#stage.name) {
      case 'asked':
      case 'resting':
        if (now >= this.#stage.until) this.#ask(now);
        return;
      case 'opening':
        return this.#opening(now);
      case 'waiting':
        if (now >= this.#stage.until) this.#aim(now, AMBUSH_BURST + CROSSING_SLACK);
        return;
      case 'aimed':
        if (now < this.#stage.until) return;
        // One that is never measured has had its one mapping.
        if (this.#first === null) this.#stage = { name: 'over' };
        else this.#ask(now);
        return;
      case 'over':
        return;
    }
  }

  #opening(now: number): void {
    if (!this.#openings.tick(now)) return;
    const { budget } = this.#context;
    const done = this.#openings.complete || budget.mappingsLeft(now) === 0;
    this.#progress.tell(now, this.#openings.count, done);
    if (!done) return;
    if (this.#openings.hopeless) this.#stage = { name: 'over' };
    // A follower that was never measured by a server has one mapping to give.
    else if (this.#first === null) this.#aim(now, 1);
    else this.#ask(now);
  }

  wakeAt(now: number): number {
    switch (this.#stage.name) {
      case 'opening':
        return this.#openings.wakeAt();
      case 'over':
        return now;
      default:
        return this.#stage.until;
    }
  }

  exhausted(): boolean {
    return this.#stage.name === 'over';
  }

  progress(): PunchProgress {
    const { plan } = this.#context;
    const mappings = this.#openings.count;
    return {
      probesSent: this.#aims,
      probesMax: plan.probes,
      mappings,
      odds: mixedOdds(plan.ranges, mappings, () => 1),
    };
  }
}

/** The port that the counter will have reached when `sockets` mappings stand, and a margin for what cannot be known. */
function foresee(first: Reading, second: Reading, sockets: number): number {
  const passedMs = Math.max(1, second.at - first.at);
  // One of them is the second measurement's own.
  const foreign = Math.max(0, countTo(first.port, second.port, second.step) - 1);
  const openMs = (sockets * 1_000) / PROBES_PER_SECOND + MEASURE_MS;
  const expected = (foreign * openMs) / passedMs;
  // Of the count to come and of the one measured, which is stretched.
  const deviation = Math.sqrt(expected * (1 + openMs / passedMs));
  return after(second.port, second.step, Math.round(expected + AMBUSH_DEVIATIONS * deviation) + AMBUSH_MARGIN);
}
