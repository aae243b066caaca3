import type { AttemptStrategy, PunchMessage } from '../../../protocol/punch.ts';
import type { PunchProgress, Tactic, TacticContext } from './contract.ts';
import { mixedOdds } from './odds.ts';
import { latest } from './progress.ts';
import { AMBUSH_ASKS, BATCH_MS, CROSSING_ROUNDS } from './tuning.ts';

/** Most sockets that one plan may make the follower open to be measured: every one costs a mapping here. */
const MEASUREMENTS: Record<AttemptStrategy, number> = {
  birthday: 0,
  bracket: 0,
  crossing: CROSSING_ROUNDS,
  ambush: AMBUSH_ASKS,
  'long-shot': 0,
};

/** Answers a bracket, a crossing or an ambush: measures its own counter when asked, and pings the ports it is told. */
export class AimFollower implements Tactic {
  readonly #context: TacticContext;
  /** The main socket, or the one that was measured last. */
  #socket = 0;
  #measuring: { round: number; socket: number } | null = null;
  /** Sockets of former rounds. */
  readonly #former: number[] = [];
  #round = 0;
  #queue: number[] = [];
  #nextAt = Number.POSITIVE_INFINITY;
  #sent = 0;
  #opened = 0;
  /** Mappings that the leader has told of. */
  #theirs = 0;

  constructor(context: TacticContext) {
    this.#context = context;
  }

  begin(): void {}

  message(now: number, message: PunchMessage): void {
    if (message.t === 'punch-ask') return this.#measure(message.round);
    if (message.t === 'punch-progress') this.#theirs = latest(this.#theirs, message.count, this.#context.plan.sockets);
    if (message.t !== 'punch-aim' || message.round <= this.#round) return;
    this.#round = message.round;
    this.#queue = message.ports.slice(0, Math.max(0, this.#context.plan.probes - this.#sent));
    this.#nextAt = now;
    this.tick(now);
  }

  #measure(round: number): void {
    const limit = MEASUREMENTS[this.#context.plan.strategy];
    if (round <= (this.#measuring?.round ?? 0) || this.#opened >= limit) return;
    this.#measuring = { round, socket: 0 };
    this.#context.act({ type: 'open', count: 1 });
  }

  opened(_now: number, sockets: { id: number; port: number }[]): void {
    const [socket] = sockets;
    if (socket === undefined || this.#measuring === null) return;
    if (this.#socket !== 0) this.#former.push(this.#socket);
    this.#measuring.socket = socket.id;
    this.#socket = socket.id;
    this.#opened += 1;
    // A port that a NAT keeps once for each socket must not be spent on a server.
    if (this.#context.ports.kind === 'preserved') this.#tell(socket.port, 0);
    else this.#context.act({ type: 'stun', socket: socket.id, turn: this.#turn(this.#measuring.round) });
  }

  /** An ambush compares what is measured in all its rounds. */
  #turn(round: number): number {
    const { strategy, id } = this.#context.plan;
    return strategy === 'ambush' ? Number.parseInt(id.slice(-1), 16) : round - 1;
  }

  mapped(_now: number, socket: number, port: number): void {
    if (this.#measuring?.socket === socket) this.#tell(port, this.#context.ports.step ?? 1);
  }

  #tell(port: number, step: number): void {
    if (this.#measuring === null) return;
    const { plan, act } = this.#context;
    act({ type: 'send', message: { t: 'punch-counter', id: plan.id, round: this.#measuring.round, port, step } });
    // The socket before the last cannot be answered any more.
    const old = this.#former.splice(0, this.#former.length - 1);
    if (old.length > 0) act({ type: 'close', sockets: old });
  }

  tick(now: number): void {
    if (now < this.#nextAt) return;
    const { budget, remote, act, dependent } = this.#context;
    const due = this.#queue.splice(0, Math.min(budget.probes(now), budget.remotesLeft(now, dependent)));
    for (const port of due) act({ type: 'ping', socket: this.#socket, remote: { ip: remote.ip, port } });
    this.#sent += due.length;
    this.#nextAt = this.#queue.length > 0 ? now + BATCH_MS : Number.POSITIVE_INFINITY;
  }

  wakeAt(): number {
    return this.#nextAt;
  }

  exhausted(): boolean {
    return false;
  }

  progress(): PunchProgress {
    const { strategy, probes, ranges } = this.#context.plan;
    const mappings = strategy === 'bracket' ? 0 : this.#opened + this.#sent;
    const odds = strategy === 'ambush' ? mixedOdds(ranges, this.#theirs, () => 1) : null;
    return { probesSent: this.#sent, probesMax: probes, mappings, odds };
  }
}
