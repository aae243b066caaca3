/**
 * A birthday punch: the leader opens mappings towards the follower's one endpoint, one from each socket; the follower probes
 * ports of the leader's address, drawn without replacement. A hit is any port that is in both, whichever came first: the
 * probe passes the leader's filter, or the leader's packet passes the follower's.
 */
import type { PunchMessage } from '../../../protocol/punch.ts';
import type { PunchProgress, Tactic, TacticContext } from './contract.ts';
import { PortDraw } from './draw.ts';
import { mixedOdds } from './odds.ts';
import { AFTERGLOW_MS, BATCH_MS, OPENING_TTLS, PROGRESS_MS, RESEND_MS } from './tuning.ts';

export class BirthdayLeader implements Tactic {
  readonly #context: TacticContext;
  readonly #sockets: number[] = [];
  /** Sockets of the attempt before that have not sent in this one. */
  readonly #reused: number[];
  #nextAt = Number.POSITIVE_INFINITY;
  /** First index of the resend in progress, null while none is. */
  #resending: number | null = null;
  #resendAt = Number.POSITIVE_INFINITY;
  #probes = 0;
  #spentAt = Number.POSITIVE_INFINITY;
  readonly #progress: ProgressReports;

  constructor(context: TacticContext) {
    this.#context = context;
    this.#reused = [...context.reused];
    this.#progress = new ProgressReports(context);
  }

  begin(now: number): void {
    this.#nextAt = now;
    this.tick(now);
  }

  message(now: number, message: PunchMessage): void {
    if (message.t !== 'punch-progress') return;
    this.#probes = Math.min(message.count, this.#context.plan.probes);
    if (message.done) this.#spentAt = Math.min(this.#spentAt, now);
  }

  opened(now: number, sockets: { id: number; port: number }[]): void {
    for (const { id } of sockets) this.#use(now, id);
  }

  #use(now: number, socket: number): void {
    this.#sockets.push(socket);
    this.#ping(this.#sockets.length - 1);
    if (this.#sockets.length >= this.#context.plan.sockets) this.#resendAt = now + RESEND_MS;
  }

  mapped(): void {}

  tick(now: number): void {
    if (now < this.#nextAt) return;
    const { plan, budget } = this.#context;
    this.#nextAt = now + BATCH_MS;
    const may = budget.probes(now);
    const wanted = Math.min(may, plan.sockets - this.#sockets.length, budget.mappingsLeft(now));
    if (this.#reused.length > 0) for (const socket of this.#reused.splice(0, may)) this.#use(now, socket);
    else if (wanted > 0) this.#context.act({ type: 'open', count: wanted });
    else if (this.#resendAt <= now) this.#resend(now, may);
    this.#progress.tell(now, this.#sockets.length, this.#sockets.length >= plan.sockets);
  }

  /** The same sockets again, in order, as far as the budget goes. */
  #resend(now: number, may: number): void {
    const from = this.#resending ?? 0;
    const to = Math.min(from + may, this.#sockets.length);
    for (let index = from; index < to; index++) this.#ping(index);
    this.#resending = to;
    if (to < this.#sockets.length) return;
    this.#resending = null;
    this.#resendAt = now + RESEND_MS;
  }

  /** Whichever way a mapping was opened, it is kept in the same way. */
  #ping(index: number): void {
    const { remote, failures, act } = this.#context;
    const socket = this.#sockets[index];
    const ttl = openingTtl(failures, index);
    if (socket !== undefined) act({ type: 'ping', socket, remote, ...(ttl === undefined ? {} : { ttl }) });
  }

  wakeAt(): number {
    return this.#nextAt;
  }

  exhausted(now: number): boolean {
    return now > this.#spentAt + AFTERGLOW_MS;
  }

  progress(): PunchProgress {
    const { plan } = this.#context;
    const mappings = this.#sockets.length;
    const total = plan.ranges.reduce((sum, range) => sum + range.weight, 0);
    const odds = mixedOdds(plan.ranges, mappings, (range) => Math.round((this.#probes * range.weight) / total));
    return { probesSent: this.#probes, probesMax: plan.probes, mappings, odds };
  }
}

export class BirthdayFollower implements Tactic {
  readonly #context: TacticContext;
  readonly #draw: PortDraw;
  #nextAt = Number.POSITIVE_INFINITY;
  #done = false;
  #mappings = 0;
  readonly #progress: ProgressReports;

  constructor(context: TacticContext) {
    this.#context = context;
    this.#draw = new PortDraw(context.plan.ranges, context.random);
    this.#progress = new ProgressReports(context);
  }

  begin(now: number): void {
    this.#nextAt = now;
    this.tick(now);
  }

  message(_now: number, message: PunchMessage): void {
    if (message.t === 'punch-progress') this.#mappings = Math.min(message.count, this.#context.plan.sockets);
  }

  opened(): void {}

  mapped(): void {}

  tick(now: number): void {
    if (now < this.#nextAt) return;
    const { plan, budget, dependent } = this.#context;
    const left = Math.min(plan.probes - this.#draw.count, budget.remotesLeft(now, dependent));
    for (let may = Math.min(budget.probes(now), left); may > 0 && !this.#done; may--) this.#probe();
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
    const odds = mixedOdds(ranges, this.#mappings, (range) => this.#draw.countIn(range));
    return { probesSent: this.#draw.count, probesMax: probes, mappings: this.#mappings, odds };
  }
}

/** Tells the other how far this side is, for the odds that both show. */
class ProgressReports {
  readonly #context: TacticContext;
  #toldAt = Number.NEGATIVE_INFINITY;
  #told = '';

  constructor(context: TacticContext) {
    this.#context = context;
  }

  tell(now: number, count: number, done: boolean): void {
    const text = `${count} ${done}`;
    if (text === this.#told || (!done && now < this.#toldAt + PROGRESS_MS)) return;
    this.#told = text;
    this.#toldAt = now;
    this.#context.act({ type: 'send', message: { t: 'punch-progress', id: this.#context.plan.id, count, done } });
  }
}

/**
 * Which opening packets must not reach the other's router, because it may give away the very port that its client needs
 * (netfilter): every second one at first, since one that does arrive meets probes that were early; all after a failure.
 */
export function openingTtl(failures: number, index: number): number | undefined {
  if (failures % 2 === 0) return index % 2 === 0 ? undefined : OPENING_TTLS[(failures / 2) % OPENING_TTLS.length];
  return OPENING_TTLS[((failures - 1) / 2) % OPENING_TTLS.length];
}
