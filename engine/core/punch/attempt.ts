/**
 * One attempt with one member, from the plan to the closing of the losing sockets:
 *
 * 1. The leader proposes a plan; the follower accepts it (refusals are made before an attempt exists). Of a long shot both
 *    people have agreed before, so both sides begin.
 * 2. Both follow the plan's tactic, until the peer core has proved a direct path.
 * 3. The leader nominates, the follower acknowledges; two seconds later what lost is closed.
 */
import type { AttemptStrategy, PunchMessage, PunchRefusal } from '../../../protocol/punch.ts';
import { AimFollower } from './aim.ts';
import { AmbushLeader } from './ambush.ts';
import { BirthdayFollower, BirthdayLeader } from './birthday.ts';
import { BracketLeader } from './bracket.ts';
import type {
  PunchAction,
  PunchEvent,
  PunchOptions,
  PunchOutcome,
  PunchView,
  Tactic,
  TacticContext,
} from './contract.ts';
import { CrossingLeader } from './crossing.ts';
import { LongShot } from './long-shot.ts';
import {
  ANSWER_MS,
  ATTEMPT_MS,
  CLOSE_AFTER_MS,
  FOLLOWER_MS,
  NOMINATE_EVERY_MS,
  NOMINATE_MS,
  SPARING_SOCKETS,
} from './tuning.ts';

const LEADERS: Record<AttemptStrategy, new (context: TacticContext) => Tactic> = {
  birthday: BirthdayLeader,
  bracket: BracketLeader,
  crossing: CrossingLeader,
  ambush: AmbushLeader,
  'long-shot': LongShot,
};
const FOLLOWERS: Record<AttemptStrategy, new (context: TacticContext) => Tactic> = {
  birthday: BirthdayFollower,
  bracket: AimFollower,
  crossing: AimFollower,
  ambush: AimFollower,
  'long-shot': LongShot,
};

export class Attempt {
  readonly #options: PunchOptions;
  readonly #tactic: Tactic;
  #actions: PunchAction[] = [];
  #beganAt = 0;
  #phase: PunchView['phase'] | 'ended' = 'proposed';
  /** When the present phase is over, whatever happened. */
  #endsAt = Number.POSITIVE_INFINITY;
  #nominateAt = Number.POSITIVE_INFINITY;
  /** External port of the leader's winning socket. */
  #port: number | null = null;
  #direct = false;
  /** The follower takes no part: only its former probes do. */
  #alone = false;

  constructor(options: PunchOptions) {
    this.#options = options;
    const tactics = options.role === 'leader' ? LEADERS : FOLLOWERS;
    this.#tactic = new tactics[options.plan.strategy]({ ...options, act: (action) => this.#actions.push(action) });
  }

  get plan(): PunchOptions['plan'] {
    return this.#options.plan;
  }

  get role(): PunchOptions['role'] {
    return this.#options.role;
  }

  /** When it was proposed, or agreed on. */
  get beganAt(): number {
    return this.#beganAt;
  }

  get remote(): PunchOptions['remote'] {
    return this.#options.remote;
  }

  /** Probes of the follower, as far as it has told. */
  get probes(): number {
    return this.#tactic.progress().probesSent;
  }

  /** Whether the follower has refused, and only its former probes took part. */
  get alone(): boolean {
    return this.#alone;
  }

  get phase(): PunchView['phase'] | 'ended' {
    return this.#phase;
  }

  get ended(): boolean {
    return this.#phase === 'ended';
  }

  handle(now: number, event: PunchEvent): PunchAction[] {
    this.#actions = [];
    if (this.#phase !== 'ended') this.#dispatch(now, event);
    if (!this.#isEnded()) this.#advance(now);
    return this.#actions;
  }

  /** The person wants no more of it (`off`: nor of any other), or it leads nowhere any more. */
  stop(outcome: 'stopped' | 'off'): PunchAction[] {
    this.#actions = [];
    if (this.#phase === 'ended') return [];
    this.#send({ t: 'punch-end', id: this.plan.id });
    this.#end(outcome);
    return this.#actions;
  }

  view(): PunchView | null {
    if (this.#phase === 'ended') return null;
    return { strategy: this.plan.strategy, phase: this.#phase, ...this.#tactic.progress() };
  }

  #dispatch(now: number, event: PunchEvent): void {
    switch (event.type) {
      case 'begin':
        return this.#begin(now);
      case 'message':
        if (event.message.id === this.plan.id) this.#message(now, event.message);
        return;
      case 'opened':
        return this.#tactic.opened(now, event.sockets);
      case 'mapped':
        if (this.#phase === 'probing') this.#tactic.mapped(now, event.socket, event.port);
        return;
      case 'direct':
        return this.#reached(now, event.port);
      case 'tick':
        if (this.#phase === 'probing') this.#tactic.tick(now);
        return;
    }
  }

  #begin(now: number): void {
    this.#beganAt = now;
    const { strategy } = this.plan;
    if (strategy === 'long-shot') return this.#probe(now);
    if (this.role === 'leader') {
      this.#endsAt = now + ANSWER_MS;
      this.#send({ t: 'punch-plan', ...this.plan, strategy });
    } else {
      this.#send({ t: 'punch-accept', id: this.plan.id });
      this.#probe(now);
    }
  }

  #probe(now: number): void {
    this.#phase = 'probing';
    this.#endsAt = now + (this.role === 'leader' ? ATTEMPT_MS : FOLLOWER_MS);
    this.#tactic.begin(now);
  }

  #message(now: number, message: PunchMessage): void {
    switch (message.t) {
      case 'punch-accept':
        if (this.role === 'leader' && this.#phase === 'proposed') this.#probe(now);
        return;
      case 'punch-refuse':
        if (this.role === 'leader' && this.#phase === 'proposed') this.#refused(now, message.code);
        return;
      case 'punch-nominate':
        if (this.role === 'follower') this.#nominated(now, message.port);
        return;
      case 'punch-nominated':
        if (this.#phase === 'nominating') this.#close(now);
        return;
      case 'punch-end':
        return this.#endedThere(now);
      default:
        if (this.#phase === 'probing') this.#tactic.message(now, message);
    }
  }

  /** One whose budget is spent on the probes of the attempt before has done its part: they are all out. */
  #refused(now: number, code: PunchRefusal): void {
    const { standing } = this.#options;
    if (code !== 'budget' || standing === 0) return this.#end(code);
    this.#alone = true;
    this.#tactic.message(now, { t: 'punch-progress', id: this.plan.id, count: standing, done: true });
    this.#probe(now);
  }

  /** The other has found nothing, or wants no more. What stands here stands all the same. */
  #endedThere(now: number): void {
    if (this.#phase === 'closing') return;
    if (this.#direct) this.#close(now);
    else this.#end('exhausted');
  }

  /** A direct path stands, by this attempt's doing or by luck. */
  #reached(now: number, port: number | null): void {
    this.#direct = true;
    if (this.#phase === 'proposed') {
      this.#send({ t: 'punch-end', id: this.plan.id });
      return this.#end('direct');
    }
    if (this.#phase !== 'probing') return;
    // Nobody is there to be told.
    if (this.#alone) return this.#close(now);
    this.#phase = 'nominating';
    this.#endsAt = now + NOMINATE_MS;
    this.#port = port;
    // Only the leader nominates; the follower has stopped and waits to be told.
    if (this.role === 'leader') this.#nominateAt = now;
  }

  #nominated(now: number, port: number | null): void {
    this.#send({ t: 'punch-nominated', id: this.plan.id });
    if (this.#phase === 'closing') return;
    // A hit on a port that counts in the leader's favour only: its pong named it, we may not have heard from there yet.
    if (!this.#direct && port !== null) {
      this.#actions.push({ type: 'heard', remote: { ip: this.#options.remote.ip, port } });
    }
    this.#close(now);
  }

  #close(now: number): void {
    this.#phase = 'closing';
    this.#nominateAt = Number.POSITIVE_INFINITY;
    this.#endsAt = now + CLOSE_AFTER_MS;
  }

  #advance(now: number): void {
    if (this.#nominateAt <= now) {
      this.#nominateAt = now + NOMINATE_EVERY_MS;
      this.#send({ t: 'punch-nominate', id: this.plan.id, port: this.#port });
    }
    if (this.#phase === 'probing' && this.role === 'leader' && this.#tactic.exhausted(now)) this.#giveUp();
    else if (now >= this.#endsAt) this.#timeout();
    if (!this.#isEnded()) this.#actions.push({ type: 'wake', at: this.#wakeAt(now) });
  }

  #timeout(): void {
    if (this.#phase === 'proposed') this.#end('silent');
    else if (this.#phase === 'probing') this.#giveUp();
    else this.#end(this.#direct || this.#phase === 'closing' ? 'direct' : 'exhausted');
  }

  #giveUp(): void {
    // It goes on with the next mappings that the budget has.
    if (this.#alone && this.#tactic.progress().mappings < SPARING_SOCKETS) return this.#end('budget');
    this.#send({ t: 'punch-end', id: this.plan.id });
    this.#end('exhausted');
  }

  #wakeAt(now: number): number {
    const tactic = this.#phase === 'probing' ? this.#tactic.wakeAt(now) : Number.POSITIVE_INFINITY;
    return Math.min(this.#endsAt, this.#nominateAt, tactic);
  }

  #send(message: PunchMessage): void {
    this.#actions.push({ type: 'send', message });
  }

  #end(outcome: PunchOutcome): void {
    this.#phase = 'ended';
    this.#actions.push({ type: 'end', outcome });
  }

  /** Asked after handlers that may have ended it. */
  #isEnded(): boolean {
    return this.#phase === 'ended';
  }
}
