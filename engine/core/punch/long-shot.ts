/**
 * The long shot: both sides draw a port for every destination, and filter by port. A ping passes only where this side guesses
 * the port of a mapping there that guesses the port of this one's:
 *
 * 1. Both sides open mappings, one from each socket, each towards another port of the other's model. Each pair of them meets
 *    with 1 in Na * Nb, so that P = 1 - exp(-ab / (Na * Nb)): two 512-port blocks need 426 on each side for one half.
 * 2. When both stand, the same sockets ping the same ports once more: what was early, or lost, has its chance.
 *
 * Leader and follower do the same; only the leader nominates.
 */
import type { NatReport, PortRange } from '../../../protocol/nat.ts';
import { LONG_SHOT_MAPPINGS, type PunchMessage } from '../../../protocol/punch.ts';
import { PROBES_PER_SECOND } from '../budget.ts';
import { rangesOf, sizeOf } from '../nat/ports.ts';
import type { PunchProgress, Tactic, TacticContext } from './contract.ts';
import { PortDraw } from './draw.ts';
import { likeliestPorts } from './plan.ts';
import { latest, ProgressReports } from './progress.ts';
import { AFTERGLOW_MS, BATCH_MS, LONG_SHOT_BLOCK_SHARE, RESEND_MS } from './tuning.ts';

/** Mappings that a side opens, and where they may lie. */
export interface LongShotSide {
  mappings: number;
  ranges: readonly PortRange[];
}

/** A side's part by its NAT: the cap, or most of a block. */
export function longShotSide(nat: NatReport): { mappings: number; ranges: PortRange[] } {
  const most = Math.floor(likeliestPorts(nat) * LONG_SHOT_BLOCK_SHARE);
  return { mappings: Math.max(1, Math.min(LONG_SHOT_MAPPINGS, most)), ranges: rangesOf(nat.ports) };
}

/** P = 1 - exp(-ab / (Na * Nb)), over what both models leave possible. */
export function longShotOdds(one: LongShotSide, other: LongShotSide): number {
  let odds = 0;
  for (const [range, weight] of weighted(one.ranges)) {
    for (const [otherRange, otherWeight] of weighted(other.ranges)) {
      const guesses = guessesIn(otherRange, one.mappings, other.ranges);
      const otherGuesses = guessesIn(range, other.mappings, one.ranges);
      const meetings = (guesses * otherGuesses) / (sizeOf(range) * sizeOf(otherRange));
      odds += weight * otherWeight * (1 - Math.exp(-meetings));
    }
  }
  return odds;
}

function weighted(ranges: readonly PortRange[]): [PortRange, number][] {
  const total = ranges.reduce((sum, range) => sum + range.weight, 0);
  return ranges.map((range) => [range, range.weight / total]);
}

/** How many of `count` guesses, drawn by weight from `ranges`, lie in one of them; ranges overlap. */
function guessesIn(within: PortRange, count: number, ranges: readonly PortRange[]): number {
  const share = weighted(ranges).map(([range, weight]) => {
    const overlap = Math.min(range.high, within.high) - Math.max(range.low, within.low) + 1;
    return (weight * Math.max(0, overlap)) / sizeOf(range);
  });
  return count * share.reduce((sum, part) => sum + part, 0);
}

/** Seconds that it takes when nothing is found: two rounds at the pace of all probes, and the waits. */
export function longShotSeconds(one: LongShotSide, other: LongShotSide): number {
  const roundMs = (Math.max(one.mappings, other.mappings) * 1_000) / PROBES_PER_SECOND;
  return Math.ceil((2 * roundMs + AFTERGLOW_MS) / 1_000);
}

export class LongShot implements Tactic {
  readonly #context: TacticContext;
  readonly #own: LongShotSide;
  readonly #theirs: LongShotSide;
  readonly #progress: ProgressReports;
  #draw: PortDraw;
  readonly #sockets: { id: number; port: number }[] = [];
  #nextAt = Number.POSITIVE_INFINITY;
  /** Since when all own mappings stand, or no more can be had. */
  #openAt: number | null = null;
  #theirCount = 0;
  #theirsOpen = false;
  /** Sockets that have pinged twice. */
  #again = 0;
  #doneAt: number | null = null;

  constructor(context: TacticContext) {
    this.#context = context;
    const { plan, followerRanges, role } = context;
    const leader = { mappings: plan.sockets, ranges: plan.ranges };
    const follower = { mappings: plan.probes, ranges: followerRanges ?? plan.ranges };
    [this.#own, this.#theirs] = role === 'leader' ? [leader, follower] : [follower, leader];
    this.#draw = new PortDraw(this.#theirs.ranges, context.random);
    this.#progress = new ProgressReports(context);
  }

  begin(now: number): void {
    this.#nextAt = now;
    this.tick(now);
  }

  message(_now: number, message: PunchMessage): void {
    if (message.t !== 'punch-progress') return;
    this.#theirCount = latest(this.#theirCount, message.count, this.#theirs.mappings);
    this.#theirsOpen ||= message.done;
  }

  opened(now: number, sockets: { id: number; port: number }[]): void {
    for (const { id } of sockets) {
      const port = this.#guess();
      this.#sockets.push({ id, port });
      this.#ping(this.#sockets.length - 1);
    }
    // The host is out of sockets.
    if (sockets.length === 0) this.#openAt ??= now;
  }

  /** No port twice before each had its turn, and none twice from one socket: each socket has one. */
  #guess(): number {
    let port = this.#draw.next();
    if (port === null) {
      this.#draw = new PortDraw(this.#theirs.ranges, this.#context.random);
      port = this.#draw.next();
    }
    return port ?? this.#context.remote.port;
  }

  mapped(): void {}

  tick(now: number): void {
    if (now < this.#nextAt) return;
    this.#nextAt = now + BATCH_MS;
    const { budget, act } = this.#context;
    const may = budget.probes(now);
    if (this.#openAt === null) {
      const left = Math.min(this.#own.mappings - this.#sockets.length, budget.longShotLeft(now));
      if (left <= 0) this.#openAt = now;
      else if (may > 0) act({ type: 'open', count: Math.min(may, left) });
    } else if (this.#theirsOpen || now >= this.#openAt + RESEND_MS) this.#repeat(now, may);
    this.#progress.tell(now, this.#sockets.length, this.#openAt !== null);
  }

  #repeat(now: number, may: number): void {
    const to = Math.min(this.#again + may, this.#sockets.length);
    while (this.#again < to) this.#ping(this.#again++);
    if (this.#again === this.#sockets.length) this.#doneAt ??= now;
  }

  #ping(index: number): void {
    const { remote, act } = this.#context;
    const socket = this.#sockets[index];
    if (socket === undefined) return;
    act({ type: 'ping', socket: socket.id, remote: { ip: remote.ip, port: socket.port } });
  }

  wakeAt(): number {
    if (this.#doneAt === null) return this.#nextAt;
    // The leader says when it is over.
    return this.#context.role === 'leader' ? this.#doneAt + AFTERGLOW_MS : Number.POSITIVE_INFINITY;
  }

  exhausted(now: number): boolean {
    return this.#doneAt !== null && now >= this.#doneAt + AFTERGLOW_MS;
  }

  progress(): PunchProgress {
    const opened = this.#sockets.length;
    const odds = longShotOdds(
      { mappings: opened, ranges: this.#own.ranges },
      { mappings: this.#theirCount, ranges: this.#theirs.ranges },
    );
    return { probesSent: opened, probesMax: this.#own.mappings, mappings: opened, odds };
  }
}
