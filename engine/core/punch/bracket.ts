/**
 * A counter is measured in the past, not predicted: the leader sends STUN, ping, STUN from three fresh sockets back to back,
 * and the follower probes the ports between the two answers. A NAT that keeps the inside port needs no measurement.
 *
 * Where the filter may let anybody in the answers are aimed at themselves: from those sockets nothing has ever left for the
 * follower, so that a NAT which looks up flows answers it by the very mapping that it aimed at. The main socket often
 * cannot: once it has pinged the follower there is a mapping of that address, by which its answers leave for ever.
 */
import type { Endpoint } from '../peer/contract.ts';
import type { PunchProgress, Tactic, TacticContext } from './contract.ts';
import { between } from './counter.ts';
import { openingTtl } from './openings.ts';
import {
  AGAIN_MS,
  BATCH_MS,
  BRACKET_AIMS,
  BRACKET_PROBES,
  BRACKET_ROUNDS,
  BRACKET_SOCKETS,
  MEASURE_MS,
  ROUND_MS,
} from './tuning.ts';

interface Round {
  number: number;
  /** What is pinged: two rounds for each endpoint, measured by one server and by the next. */
  remote: Endpoint;
  beganAt: number;
  /** STUN, ping, STUN. */
  sockets: number[];
  before: number | null;
  after: number | null;
  aimedAt: number | null;
  pingedAgain: boolean;
}

export class BracketLeader implements Tactic {
  readonly #context: TacticContext;
  #round: Round | null = null;
  #beginAt = Number.POSITIVE_INFINITY;
  /** The round before: its path may still answer. */
  #previous: number[] = [];
  #aims = 0;
  #mappings = 0;
  #rounds = 0;

  constructor(context: TacticContext) {
    this.#context = context;
  }

  begin(now: number): void {
    this.#nextRound(now);
  }

  #nextRound(now: number): void {
    const { budget, remote, elsewhere, act } = this.#context;
    if (budget.probes(now) < 1 || budget.mappingsLeft(now) < BRACKET_SOCKETS) {
      this.#beginAt = now + BATCH_MS;
      return;
    }
    this.#beginAt = Number.POSITIVE_INFINITY;
    if (this.#previous.length > 0) act({ type: 'close', sockets: this.#previous });
    this.#previous = this.#round?.sockets ?? [];
    const endpoints = [remote, ...elsewhere];
    const endpoint = endpoints[(this.#rounds >> 1) % endpoints.length] ?? remote;
    this.#rounds += 1;
    this.#round = {
      number: this.#rounds,
      remote: endpoint,
      beganAt: now,
      sockets: [],
      before: null,
      after: null,
      aimedAt: null,
      pingedAgain: false,
    };
    act({ type: 'open', count: BRACKET_SOCKETS });
  }

  opened(now: number, sockets: { id: number; port: number }[]): void {
    const { ports, lenient, failures, act } = this.#context;
    const [before, measured, after] = sockets;
    if (this.#round === null || !before || !measured || !after) return;
    const { remote } = this.#round;
    this.#round.sockets = sockets.map(({ id }) => id);
    this.#mappings += BRACKET_SOCKETS;
    const ttl = openingTtl(failures, this.#rounds - 1);
    act({ type: 'stun', socket: before.id, turn: this.#rounds - 1 });
    act({ type: 'ping', socket: measured.id, remote, ...(ttl === undefined ? {} : { ttl }) });
    act({ type: 'stun', socket: after.id, turn: this.#rounds - 1 });
    const seen = lenient ? [before.port, after.port] : [];
    if (ports.kind === 'preserved') this.#aim(now, this.#round, [measured.port, ...seen]);
  }

  mapped(now: number, socket: number, port: number): void {
    const round = this.#round;
    if (round === null || round.aimedAt !== null) return;
    if (socket === round.sockets[0]) round.before = port;
    else if (socket === round.sockets[2]) round.after = port;
    if (round.before === null || round.after === null) return;
    const { ports, lenient } = this.#context;
    const counted =
      ports.kind === 'sequential' ? between(round.before, round.after, ports.step ?? 1, BRACKET_AIMS) : [];
    this.#aim(now, round, lenient ? [round.before, round.after, ...counted] : counted);
  }

  #aim(now: number, round: Round, ports: number[]): void {
    const aimed = ports.slice(0, BRACKET_PROBES - this.#aims);
    round.aimedAt = now;
    this.#aims += aimed.length;
    if (aimed.length === 0) return;
    const { plan, act } = this.#context;
    act({ type: 'send', message: { t: 'punch-aim', id: plan.id, round: round.number, ports: aimed } });
  }

  message(): void {}

  tick(now: number): void {
    const round = this.#round;
    if (now >= this.#nextRoundAt()) {
      if (!this.exhausted(now)) this.#nextRound(now);
      return;
    }
    if (round === null || round.pingedAgain || now < againAt(round)) return;
    round.pingedAgain = true;
    const socket = round.sockets[1];
    if (socket !== undefined) this.#context.act({ type: 'ping', socket, remote: round.remote });
  }

  #endOf(round: Round): number {
    return round.aimedAt === null ? round.beganAt + MEASURE_MS : round.aimedAt + ROUND_MS;
  }

  /** One that waits for the budget waits, however long the round before is over. */
  #nextRoundAt(): number {
    return Number.isFinite(this.#beginAt) || this.#round === null ? this.#beginAt : this.#endOf(this.#round);
  }

  wakeAt(): number {
    const again = this.#round === null || this.#round.pingedAgain ? Number.POSITIVE_INFINITY : againAt(this.#round);
    return Math.min(this.#nextRoundAt(), again);
  }

  exhausted(now: number): boolean {
    const spent = this.#rounds >= BRACKET_ROUNDS || this.#aims >= BRACKET_PROBES;
    return spent && this.#round !== null && now >= this.#endOf(this.#round);
  }

  progress(): PunchProgress {
    return { probesSent: this.#aims, probesMax: BRACKET_PROBES, mappings: this.#mappings, odds: null };
  }
}

function againAt(round: Round): number {
  return round.aimedAt === null ? Number.POSITIVE_INFINITY : round.aimedAt + AGAIN_MS;
}
