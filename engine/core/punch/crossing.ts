/**
 * Two ports that can be foreseen. The follower's counter is measured; the leader then opens a window of mappings in one burst, all towards one port
 * that the follower's counter is about to reach, between two STUN requests. The follower pings the ports of that window
 * from one socket: its own counter passes the port, and whichever probe goes out there meets an open mapping.
 */
import { PUNCH_LIMITS, type PunchMessage } from '../../../protocol/punch.ts';
import type { PunchProgress, Tactic, TacticContext } from './contract.ts';
import { after, between, countTo } from './counter.ts';
import { openingTtl } from './openings.ts';
import {
  BATCH_MS,
  CROSSING_CONTRADICTIONS,
  CROSSING_ROUNDS,
  CROSSING_SLACK,
  CROSSING_WINDOWS,
  MEASURE_MS,
  ROUND_MS,
} from './tuning.ts';

interface Round {
  number: number;
  window: number;
  /** When it is given up. */
  endsAt: number;
  /** The follower's port that is aimed at; null until its counter is known. */
  target: number | null;
  sockets: number[];
  before: number | null;
  after: number | null;
}

export class CrossingLeader implements Tactic {
  readonly #context: TacticContext;
  #round: Round | null = null;
  #beginAt = Number.POSITIVE_INFINITY;
  #rounds = 0;
  #mappings = 0;
  #aims = 0;
  #contradictions = 0;

  constructor(context: TacticContext) {
    this.#context = context;
  }

  begin(now: number): void {
    this.#nextRound(now);
  }

  /** Not before the whole burst may leave: a counter does not wait. */
  #nextRound(now: number): void {
    const { budget, plan, act } = this.#context;
    const window = CROSSING_WINDOWS[Math.min(this.#rounds, CROSSING_WINDOWS.length - 1)] ?? CROSSING_WINDOWS[0];
    if (budget.probes(now) < window || budget.mappingsLeft(now) < window + 2) {
      this.#beginAt = now + BATCH_MS;
      return;
    }
    this.#beginAt = Number.POSITIVE_INFINITY;
    if (this.#round !== null && this.#round.sockets.length > 0) act({ type: 'close', sockets: this.#round.sockets });
    this.#rounds += 1;
    this.#round = {
      number: this.#rounds,
      window,
      endsAt: now + this.#patienceMs(),
      target: null,
      sockets: [],
      before: null,
      after: null,
    };
    act({ type: 'send', message: { t: 'punch-ask', id: plan.id, round: this.#rounds } });
  }

  message(now: number, message: PunchMessage): void {
    const round = this.#round;
    if (message.t !== 'punch-counter' || round === null || message.round !== round.number) return;
    if (round.target !== null) return;
    // A fresh socket's port that is kept is met by one ping, and this side's is kept too.
    const kept = message.step === 0;
    round.target = kept ? message.port : after(message.port, message.step, round.window - CROSSING_SLACK);
    round.endsAt = now + this.#patienceMs();
    this.#context.act({ type: 'open', count: kept ? 1 : round.window + 2 });
  }

  /** How long an answer may take: longer after failures, because the way may be slow. */
  #patienceMs(): number {
    return MEASURE_MS * (1 + Math.min(this.#context.failures, 2));
  }

  opened(now: number, sockets: { id: number; port: number }[]): void {
    const round = this.#round;
    if (round?.target == null) return;
    const { act, ports } = this.#context;
    round.sockets = sockets.map(({ id }) => id);
    this.#mappings += sockets.length;
    // Where this side's ports are kept nothing has to be measured.
    const kept = ports.kind === 'preserved';
    for (const [i, socket] of round.sockets.entries()) {
      if (!kept && (i === 0 || i === round.sockets.length - 1)) act({ type: 'stun', socket, turn: round.number - 1 });
      else this.#ping(socket, round.target, i);
    }
    if (kept) this.#aim(now, round, sockets.map(({ port }) => port).slice(0, PUNCH_LIMITS.aims));
  }

  /** After a failure with packets that do not reach the other's router, which may give the target away to them. */
  #ping(socket: number, port: number, index: number): void {
    const { remote, failures, act } = this.#context;
    const ttl = failures === 0 ? undefined : openingTtl(failures, index);
    act({ type: 'ping', socket, remote: { ip: remote.ip, port }, ...(ttl === undefined ? {} : { ttl }) });
  }

  mapped(now: number, socket: number, port: number): void {
    const round = this.#round;
    if (round === null) return;
    if (socket === round.sockets[0]) round.before ??= port;
    else if (socket === round.sockets.at(-1)) round.after ??= port;
    if (round.before === null || round.after === null) return;
    const step = this.#context.ports.step ?? 1;
    const counted = countTo(round.before, round.after, step);
    const ports = between(round.before, round.after, step, round.window + CROSSING_SLACK);
    round.before = null;
    if (counted > round.window) this.#aim(now, round, ports);
    else this.#contradicted(now, round);
  }

  /** The burst is not between the two answers: whoever gave them counts something else. */
  #contradicted(now: number, round: Round): void {
    this.#contradictions += 1;
    round.endsAt = now;
  }

  #aim(now: number, round: Round, ports: number[]): void {
    const { plan, act } = this.#context;
    round.endsAt = now + ROUND_MS;
    this.#aims += ports.length;
    if (ports.length > 0) act({ type: 'send', message: { t: 'punch-aim', id: plan.id, round: round.number, ports } });
  }

  tick(now: number): void {
    if (this.exhausted(now)) return;
    if (now >= this.#beginAt || (this.#round !== null && now >= this.#round.endsAt)) this.#nextRound(now);
  }

  wakeAt(): number {
    if (Number.isFinite(this.#beginAt) || this.#round === null) return this.#beginAt;
    return this.#round.endsAt;
  }

  exhausted(now: number): boolean {
    const spent = this.#rounds >= CROSSING_ROUNDS || this.#contradictions >= CROSSING_CONTRADICTIONS;
    return spent && this.#round !== null && now >= this.#round.endsAt;
  }

  progress(): PunchProgress {
    const { probes } = this.#context.plan;
    return { probesSent: this.#aims, probesMax: probes, mappings: this.#mappings, odds: null };
  }
}
