import type { PeerSnapshot, RelayReason } from '../protocol/app.ts';
import type { PortRange } from '../protocol/nat.ts';
import { type PunchMessage, SOFT_SOCKETS } from '../protocol/punch.ts';
import type { Budget } from './core/budget.ts';
import { Attempt } from './core/punch/attempt.ts';
import type { PunchAction, PunchEvent, PunchOptions, PunchOutcome, PunchPlan } from './core/punch/contract.ts';
import { isElsewhere, type Networks } from './core/punch/networks.ts';
import { allot, isLenient, makePlan } from './core/punch/plan.ts';
import { Schedule } from './core/punch/schedule.ts';
import { REUSED_BELOW } from './core/punch/tuning.ts';
import type { PeerKey } from './core/room/contract.ts';
import type { Member } from './member.ts';
import type { Members } from './members.ts';
import type { ClockPort, DeviceEvent, DevicePort, Endpoint, RandomPort, SocketId } from './ports.ts';
import { PunchChoices, type PunchChoicesOptions } from './punch-choices.ts';
import { PunchSockets } from './punch-sockets.ts';
import { Waker } from './wake.ts';

export interface PunchesOptions extends Omit<PunchChoicesOptions, 'schedule'> {
  clock: ClockPort;
  random: RandomPort;
  device: Pick<DevicePort, 'openSockets' | 'closeSockets' | 'send'>;
  budget: Budget;
  members: Pick<Members, 'all' | 'get' | 'punch' | 'event'>;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void;
  /** A STUN server that answers, another at each turn. */
  answering(turn: number): Endpoint | null;
  post(work: () => void): void;
  send(peer: PeerKey, message: PunchMessage): void;
  changed(): void;
}

/** Of an attempt before. */
const NOTHING_LEFT = { reused: [], sparing: false, standing: 0 };
/** One for each family. */
const LAST_MAIN_SOCKET = 1;

interface Active {
  key: PeerKey;
  attempt: Attempt;
  /** As they were when it began. */
  networks: Networks | null;
  /** A ping of the member came by one of the attempt's sockets. */
  heard: boolean;
  /** Of a long shot: told how it ended. */
  ended?: (outcome: PunchOutcome) => void;
}

/** A long shot that both people agreed on. */
export interface Shot {
  key: PeerKey;
  role: 'leader' | 'follower';
  plan: PunchPlan;
  followerRanges: readonly PortRange[];
  ended: (outcome: PunchOutcome) => void;
}

/**
 * Hard-NAT punches of the whole client: one attempt at a time, the others wait their turn. Paths that an attempt finds are
 * the member's traversal core's; this only opens sockets, aims, and closes what lost.
 */
export class Punches {
  readonly #options: PunchesOptions;
  readonly #sockets: PunchSockets;
  readonly #schedule: Schedule;
  readonly #choices: PunchChoices;
  readonly #waker: Waker;
  /** The one hard plan. */
  #active: Active | null = null;
  /** Two people's long shot: no hard plan begins beside it. */
  #shot: Active | null = null;
  /** Attempts that have found their path and only wait to close what lost. */
  #closing: Active[] = [];
  /** The toggle as it was last seen. */
  #hardNat: boolean;

  constructor(options: PunchesOptions) {
    this.#options = options;
    const { clock, random } = options;
    this.#sockets = new PunchSockets(options);
    this.#schedule = new Schedule(random);
    this.#choices = new PunchChoices({ ...options, schedule: this.#schedule });
    this.#waker = new Waker(clock, () => options.post(() => this.#tick()));
    this.#hardNat = options.settings().hardNat;
  }

  #tick(): void {
    for (const running of this.#running()) this.#handle(running, { type: 'tick' });
    this.review();
  }

  #running(): Active[] {
    return [this.#active, this.#shot, ...this.#closing].filter((running) => running !== null);
  }

  #of(key: PeerKey): Active | undefined {
    return this.#running().find((running) => running.key === key);
  }

  // What the world tells

  /** Called whenever a report, a path or a member changed, and now and then. */
  review(): void {
    const now = this.#options.clock.now();
    this.#schedule.retain(this.#options.members.all());
    this.#obey();
    this.#follow(now);
    this.#judge();
    this.#sockets.sweep((key) => this.#of(key) !== undefined);
    if (this.#active === null && this.#shot === null) this.#startNext(now);
    this.#waker.wakeAt(this.#schedule.nextAt(now));
  }

  /** Switched off, punching ends where it is not about to have succeeded; switched on, everything may be tried anew. */
  #obey(): void {
    const { hardNat } = this.#options.settings();
    if (hardNat && !this.#hardNat) this.#schedule.clear();
    this.#hardNat = hardNat;
    const running = this.#active;
    if (hardNat || running === null || running.attempt.plan.sockets <= SOFT_SOCKETS) return;
    if (running.attempt.phase !== 'nominating') this.#stop(running, 'off');
  }

  /** In other networks what is under way leads to where nobody is, and what was given up may work. */
  #follow(now: number): void {
    for (const member of this.#options.members.all().values()) {
      const networks = this.#choices.networks(member);
      if (networks === null) continue;
      const running = this.#of(member.key);
      if (running !== undefined && isLost(running, networks)) this.#stop(running, 'stopped');
      this.#schedule.between(now, member.key, networks);
    }
  }

  #stop(running: Active, outcome: 'stopped' | 'off'): void {
    for (const action of running.attempt.stop(outcome)) this.#act(running, action);
    this.#options.changed();
  }

  message(key: PeerKey, message: PunchMessage): void {
    if (message.t === 'punch-plan') this.#asked(key, message);
    else {
      const running = this.#of(key);
      if (running !== undefined) this.#handle(running, { type: 'message', message });
    }
    this.review();
  }

  /** True where the answer was to a request of a punch. */
  stun(event: Extract<DeviceEvent, { type: 'stun' }>): boolean {
    if (!this.#sockets.has(event.socket)) return false;
    const mapped = this.#sockets.mapped(event);
    if (mapped !== null && this.#active !== null) {
      this.#handle(this.#active, { type: 'mapped', socket: event.socket, port: mapped.port });
    }
    return true;
  }

  /** Whether paths may leave by this socket: a main one, or one of a punch that is still open. */
  carries(socket: SocketId): boolean {
    return socket <= LAST_MAIN_SOCKET || this.#sockets.has(socket);
  }

  /** After the traversal core has seen it. */
  heard(event: Extract<DeviceEvent, { type: 'ping' | 'pong' }>): void {
    if (event.type === 'pong' && event.via !== 'external' && event.observed !== null) {
      this.#sockets.observed(event.via.socket, event.observed.port);
    }
    // One that was not answered says nothing of the way back.
    const answered = event.type === 'ping' && event.answer !== 'refused';
    if (answered && event.via !== 'external' && this.#sockets.has(event.via.socket)) {
      const owner = this.#sockets.ownerOf(event.via.socket);
      for (const running of this.#running()) running.heard ||= running.key === owner;
    }
    this.#judge();
  }

  /** A new network: what was begun in the old one leads nowhere, and what failed there may work now. */
  networkChanged(): void {
    for (const running of [this.#active, this.#shot]) if (running !== null) this.#stop(running, 'stopped');
    this.#schedule.clear();
    this.#sockets.leftovers.clear();
  }

  // Long shots

  /** False where the member has no address to aim at, or another long shot runs. */
  shoot({ key, role, plan, followerRanges, ended }: Shot): boolean {
    const member = this.#options.members.get(key);
    const remote = member === undefined ? null : this.#choices.target(member);
    if (member === undefined || remote === null || this.#shot !== null) return false;
    this.#drop(key);
    const attempt = this.#attempt(member, { role, plan, remote, followerRanges, ...NOTHING_LEFT });
    this.#shot = { key, attempt, networks: this.#choices.networks(member), heard: false, ended };
    this.#handle(this.#shot, { type: 'begin' });
    return true;
  }

  /** Ends the long shot, whoever it is with; what it opened is closed. */
  stopShot(): void {
    if (this.#shot !== null) this.#stop(this.#shot, 'stopped');
  }

  /** The member of the long shot that runs. */
  shooting(): { key: PeerKey; id: string } | null {
    return this.#shot && { key: this.#shot.key, id: this.#shot.attempt.plan.id };
  }

  /** A plan that this side led with the member has found nothing. */
  failed(key: PeerKey): boolean {
    return this.#schedule.failures(key) > 0;
  }

  /** Whether a long shot could aim at this member. */
  reachable(member: Member): boolean {
    return this.#choices.target(member) !== null;
  }

  stop(): void {
    this.#waker.stop();
  }

  // What people see

  view(key: PeerKey): PeerSnapshot['punch'] {
    return this.#of(key)?.attempt.view() ?? null;
  }

  reason(key: PeerKey): RelayReason | null {
    const member = this.#options.members.get(key);
    if (member === undefined) return null;
    const outcome = this.#schedule.lastOutcome(key);
    if (outcome === 'off' || this.#choices.forbids(member)) return 'hard-nat-off';
    if (outcome === 'budget' || outcome === 'one-way') return outcome;
    return this.#schedule.gaveUp(key) || this.#choices.despairs(member) ? 'gave-up' : null;
  }

  // Own plans

  #startNext(now: number): void {
    const { members, settings } = this.#options;
    if (settings().relayOnly) return;
    const free = [...members.all().values()].filter(({ key }) => this.#of(key) === undefined);
    const hopeful = free.filter((member) => this.#choices.mayLead(now, member));
    const key = this.#schedule.pick(
      now,
      hopeful.map((member) => member.key),
    );
    const member = key === null ? undefined : members.get(key);
    if (member !== undefined) this.#propose(now, member);
  }

  #propose(now: number, member: Member): void {
    const { budget, settings, random } = this.#options;
    const choice = this.#choices.choose(now, member);
    const remote = this.#choices.target(member);
    if (choice === null || remote === null) return;
    const strategy = this.#choices.strategy(now, choice, member);
    const nat = this.#choices.believed(choice, strategy, member.key);
    const both = member.core.bothDependent();
    const waiting = this.#choices.waiting(now);
    const standing = strategy === 'birthday' ? this.#sockets.leftovers.standing(now, member.key, remote) : 0;
    const left = budget.mappingsLeft(now);
    const { mappings, sparing } = allot(strategy, nat, left, waiting, { answers: !both, standing });
    // Those have met every probe that stands: to ping them again would only keep their mappings.
    const reusable = strategy === 'birthday' && standing === 0 && this.#sockets.waits(member.key);
    const reused = reusable ? this.#sockets.reusable(member.key) : [];
    const used = budget.mappingsUsed(now);
    const dependent = both && choice.doubted !== true;
    const { hardNat } = settings();
    const limits = { mappings: mappings + reused.length, sparing, used, hardNat, dependent, standing };
    const plan = makePlan(strategy, nat, limits, Buffer.from(random(8)).toString('hex'));
    if (typeof plan === 'string') this.#schedule.ended(now, member.key, plan);
    else this.#start(member, 'leader', plan, remote, { reused, sparing, standing });
  }

  // Others' plans

  #asked(key: PeerKey, plan: PunchPlan & { t: string }): void {
    const { members, clock, ownKey, log } = this.#options;
    const now = clock.now();
    const member = members.get(key);
    if (member?.proven !== true) return;
    const before = this.#active?.key === key ? this.#active.attempt : null;
    // Two plans that cross: the lower key's stands. And a leader has one at a time: what it led before is over.
    const over = before?.role === 'follower' || (before?.phase === 'proposed' && key < ownKey);
    const remote = this.#choices.target(member);
    const busy = this.#shot !== null || (this.#active !== null && !over);
    const refusal = this.#choices.refusal(now, member, plan, remote, busy);
    if (refusal !== null || remote === null) {
      log('debug', `a punch from ${key} is refused: ${refusal ?? 'no-address'}`);
      return this.#options.send(key, { t: 'punch-refuse', id: plan.id, code: refusal ?? 'no-address' });
    }
    this.#drop(key);
    this.#schedule.accepted(now, key);
    const { id, strategy, sockets, probes, ranges } = plan;
    this.#start(member, 'follower', { id, strategy, sockets, probes, ranges }, remote);
  }

  // The attempt

  #start(
    member: Member,
    role: 'leader' | 'follower',
    plan: PunchPlan,
    remote: Endpoint,
    leftovers: Pick<PunchOptions, 'reused' | 'sparing' | 'standing'> = NOTHING_LEFT,
  ): void {
    const followerRanges = this.#choices.followerRanges(member, role);
    const attempt = this.#attempt(member, { role, plan, remote, followerRanges, ...leftovers });
    this.#active = { key: member.key, attempt, networks: this.#choices.networks(member), heard: false };
    this.#handle(this.#active, { type: 'begin' });
  }

  #attempt(
    member: Member,
    asked: Pick<PunchOptions, 'role' | 'plan' | 'remote' | 'followerRanges' | 'reused' | 'sparing' | 'standing'>,
  ): Attempt {
    const { budget, random, nat, log, dependentMappings } = this.#options;
    const { strategy, sockets } = asked.plan;
    const { key } = member;
    log('info', `punching to ${key}: ${strategy} as ${asked.role}, ${sockets} sockets`);
    const failures = this.#schedule.failures(key);
    // A name is enough to plan by; what it costs is counted as if it were worse.
    const dependent = nat().mapping === 'endpoint-independent' ? false : dependentMappings();
    const own = { ports: nat().ports, lenient: isLenient(nat()), dependent };
    const elsewhere = this.#choices.targets(member).slice(1);
    return new Attempt({ ...asked, ...own, elsewhere, failures, budget, random });
  }

  #judge(): void {
    for (const running of this.#running()) {
      const member = this.#options.members.get(running.key);
      if (member === undefined) this.#drop(running.key);
      else if (!this.#closing.includes(running) && member.core.direct()) {
        const socket = member.core.directSocket();
        const port = socket === null ? null : this.#sockets.portOf(socket);
        this.#handle(running, { type: 'direct', port });
      }
    }
  }

  #handle(running: Active, event: PunchEvent): void {
    for (const action of running.attempt.handle(this.#options.clock.now(), event)) this.#act(running, action);
    // What is left of it asks for nothing: the next may begin.
    if (running.attempt.phase === 'closing' && !this.#closing.includes(running)) {
      this.#closing = [...this.#closing, running];
      if (this.#active === running) this.#active = null;
      if (this.#shot === running) this.#shot = null;
    }
    this.#options.changed();
  }

  #act(running: Active, action: PunchAction): void {
    const { key } = running;
    const { members, send } = this.#options;
    switch (action.type) {
      case 'open':
        return this.#handle(running, {
          type: 'opened',
          sockets: this.#sockets.open(key, action.count, running.ended !== undefined),
        });
      case 'close':
        return this.#sockets.closeLost(action.sockets);
      case 'ping':
        if (action.socket !== 0 && !this.#sockets.has(action.socket)) return;
        this.#sockets.pinged(action.socket);
        members.punch(key, action, action.ttl);
        return;
      case 'stun':
        return this.#sockets.ask(action.socket, action.turn, this.#options.dependentMappings());
      case 'send':
        return send(key, action.message);
      case 'heard':
        return members.event(key, {
          type: 'ping',
          via: { socket: 0, remote: action.remote },
          seq: 0,
          at: this.#options.clock.now(),
        });
      case 'wake':
        return this.#waker.wakeAt(action.at);
      case 'end':
        return this.#ended(running, action.outcome);
    }
  }

  #ended({ key, attempt, heard, ended }: Active, ending: PunchOutcome): void {
    const { clock, log } = this.#options;
    const outcome = this.#outcome(key, attempt, ending, heard);
    log('info', `punch to ${key} (${attempt.plan.strategy}) ended: ${outcome}`);
    const planned = ended === undefined && attempt.role === 'leader';
    if (planned || outcome === 'direct') this.#schedule.ended(clock.now(), key, outcome);
    if (outcome === 'exhausted') this.#keepLeftovers(key, attempt);
    this.#drop(key);
    ended?.(outcome);
  }

  #keepLeftovers(key: PeerKey, { plan, role, probes, beganAt, remote, alone }: Attempt): void {
    const { members, clock } = this.#options;
    const { leftovers } = this.#sockets;
    if (alone) return leftovers.disproved(key);
    if (plan.strategy !== 'birthday' || role !== 'leader' || plan.sockets >= REUSED_BELOW) return;
    // Where both map by destination each of its probes has left by another mapping than `remote`.
    const standing = members.get(key)?.core.bothDependent() === false ? probes : 0;
    leftovers.failed(clock.now(), key, { beganAt, probes: standing, remote });
  }

  #outcome(key: PeerKey, { plan }: Attempt, ending: PunchOutcome, heard: boolean): PunchOutcome {
    const core = this.#options.members.get(key)?.core;
    const view = core?.view(this.#options.clock.now());
    // A guess may still meet one that sends from the same port to all of an address: its answers have one way only.
    const guessable = plan.strategy === 'bracket' && view?.nat?.mapping === 'address-dependent';
    if (ending === 'exhausted' && heard && core?.bothDependent() === true && !guessable) return 'one-way';
    // Refused because the other side has a path that this one does not: it will notice, or this one will.
    const alone = ending === 'direct' && core?.direct() === false;
    return alone ? 'later' : ending;
  }

  #drop(key: PeerKey): void {
    if (this.#active?.key === key) this.#active = null;
    if (this.#shot?.key === key) this.#shot = null;
    this.#closing = this.#closing.filter((running) => running.key !== key);
    if (!this.#sockets.waits(key)) this.#sockets.closeLost(this.#sockets.of(key));
  }
}

/** It aims at where one of the two sides is no more. */
function isLost({ attempt, networks }: Active, now: Networks): boolean {
  const aims = attempt.phase === 'proposed' || attempt.phase === 'probing';
  return aims && networks !== null && isElsewhere(networks, now);
}
