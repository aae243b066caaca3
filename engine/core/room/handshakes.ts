/**
 * Which handshakes run, when, and how many: random order, at most 8 at once, guesses limited, lost runs tried again.
 * Members that show the room tag have places of their own, so that strangers cannot keep them out.
 */
import { ROOM_LIMITS } from '../../../protocol/limits.ts';
import { equalBytes } from '../crypto/bytes.ts';
import type { CryptoResult } from './contract.ts';
import { GuessLimits } from './guess-limits.ts';
import { Handshake, type HandshakeContext, readyMac, type Step } from './handshake.ts';
import type { Member, Pending, Run, Sender } from './member.ts';
import type { Shared } from './shared.ts';
import { decodeReady, decodeStart, encodeReady, KIND_ABORT, KIND_READY, KIND_START } from './wire.ts';

/** A second server's members wait this long for the first server's, which may turn out to be the same. */
const ONE_SERVER_FIRST_MS = 2_000;
/** Pause after a lost run: above the server's window of 4 frames in 10 s, counted from the start of the run. */
const RETRY_FIRST_MS = 4_000;
const RETRY_CAP_MS = 60_000;
/** Above the server's window: the tag must not use up the frames of the handshake. */
const READY_AGAIN_MS = 15_000;
/** Another password does not become the right one: a slow retry is for servers that spoiled a frame. */
const WRONG_FIRST_MS = 60_000;
const WRONG_CAP_MS = 10 * 60_000;

export type Outcome = Extract<Step, { type: 'verified' | 'proven' }>;

export interface HandshakeHooks {
  /** Null until the password is ready. */
  context: () => HandshakeContext | null;
  /** Before the message that belongs to it is sent; false where it came too late to count. */
  outcome: (member: Member, run: Run, outcome: Outcome) => boolean;
  /** After it was sent. */
  settled: (member: Member, outcome: Outcome & { type: 'proven' }) => void;
  failed: (member: Member, run: Run, guess: boolean) => void;
}

export class Handshakes {
  readonly #shared: Shared;
  readonly #hooks: HandshakeHooks;
  readonly #members: () => Iterable<Member>;
  readonly #limits = new GuessLimits();

  constructor(shared: Shared, members: () => Iterable<Member>, hooks: HandshakeHooks) {
    this.#shared = shared;
    this.#members = members;
    this.#hooks = hooks;
  }

  /** A frame of the handshake from a member; anything is possible. */
  frame(member: Member, payload: Uint8Array): void {
    if (payload[0] === KIND_READY) return this.#readied(member, payload);
    if (payload[0] !== KIND_START) {
      if (member.run === null) return;
      if (payload[0] !== KIND_ABORT) member.run.answered = true;
      return this.#steps(member, member.run, member.run.handshake.frame(payload));
    }
    const start = decodeStart(payload);
    if (start === null || member.refused || member.initiator) return;
    member.pending = { start, at: this.#shared.now, sender: null };
    this.pump();
  }

  /** The member is gone, with what was under way. */
  departed(member: Member): void {
    member.pending = null;
    if (member.run !== null) this.#end(member, member.run, member.run.handshake.guessable);
  }

  /** It was refused for a reason that may be gone. */
  reconsider(member: Member): void {
    if (member.peer !== null) return;
    member.refused = false;
    member.nextAt = this.#shared.now;
  }

  /** Times out old runs and begins what may begin. */
  pump(): void {
    const context = this.#hooks.context();
    for (const member of this.#members()) this.#expire(member);
    if (context === null) return;
    this.#prepare(context);
    const waiting = [...this.#members()].filter((member) => member.pending !== null || this.#mayBegin(member));
    for (const member of this.#shared.shuffle(waiting)) {
      if (member.pending !== null) this.#answer(context, member, member.pending);
      else if (!this.#mayBegin(member)) continue;
      else if (member.initiator) this.#begin(context, member);
      else this.#showTag(context, member);
    }
  }

  /** When `pump` has something to do next. */
  deadline(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const member of this.#members()) {
      if (member.run !== null) at = Math.min(at, member.run.startedAt + ROOM_LIMITS.proofTimeoutMs);
      if (member.pending !== null) at = Math.min(at, this.#shared.now + 1_000);
      if (member.run === null && member.peer === null && !member.refused) {
        at = Math.min(at, Math.max(member.nextAt, this.#shared.now + 500));
      }
    }
    return at;
  }

  #expire(member: Member): void {
    const { now } = this.#shared;
    if (member.pending !== null && now >= member.pending.at + ROOM_LIMITS.proofTimeoutMs) member.pending = null;
    const run = member.run;
    if (run === null || now < run.startedAt + ROOM_LIMITS.proofTimeoutMs) return;
    this.#end(member, run, run.handshake.guessable);
  }

  #mayBegin(member: Member): boolean {
    if (member.run !== null || member.peer !== null || member.refused || member.nextAt > this.#shared.now) return false;
    return !this.#waitsForOtherServer(member);
  }

  /** The same member on two servers should prove itself once: the second is then recognised by a hint. */
  #waitsForOtherServer(member: Member): boolean {
    const { now } = this.#shared;
    if (member.server === 0) return false;
    for (const other of this.#members()) {
      const undecided = other.server < member.server && other.peer === null && !other.refused && other.attempts === 0;
      if (undecided && now < other.since + ONE_SERVER_FIRST_MS) return true;
    }
    return false;
  }

  /**
   * A newcomer begins a moment from now: our half of the work is done meanwhile. Not for many, who may be strangers, and not
   * while members may be coming back, who are recognised by hints.
   */
  #prepare(context: HandshakeContext): void {
    let places: number = ROOM_LIMITS.concurrentHandshakes;
    for (const { half } of this.#members()) if (half !== 'none' && half !== 'over') places -= 1;
    for (const member of this.#members()) {
      if (places <= 0) return;
      const waits = member.half === 'none' && !member.initiator && member.run === null && member.pending === null;
      if (!waits || member.peer !== null || member.refused) continue;
      member.half = context.knownRoots(member).length > 0 ? 'over' : 'making';
      if (member.half === 'over') continue;
      places -= 1;
      this.#shared.job(new Handshake(context, 'responder', member).prepare(), (result) => {
        member.half = result.kind === 'cpace-start' ? result : 'over';
        this.pump();
      });
    }
  }

  #begin(context: HandshakeContext, member: Member): void {
    const { tagged } = member;
    if (this.#running(tagged) >= ROOM_LIMITS.concurrentHandshakes) return;
    const ticket = this.#limits.take(this.#shared.now, member.source, tagged);
    if (ticket === null) return;
    const handshake = new Handshake(context, 'initiator', member);
    const run = this.#run(member, handshake, ticket, tagged);
    this.#steps(member, run, handshake.begin());
  }

  /** Strangers may have used up what the other side begins in a minute: it sees that this one is none. */
  #showTag(context: HandshakeContext, member: Member): void {
    member.nextAt = this.#shared.now + READY_AGAIN_MS;
    const tag = context.roomTag();
    if (tag === null) return;
    const mac = readyMac(context, tag, member.session, member.ownSession);
    this.#shared.signal(member.server, member.id, encodeReady(mac));
  }

  #readied(member: Member, payload: Uint8Array): void {
    const mac = decodeReady(payload);
    const context = this.#hooks.context();
    const tag = context?.roomTag() ?? null;
    if (mac === null || context === null || tag === null || !member.initiator || member.run !== null) return;
    if (!equalBytes(mac, readyMac(context, tag, member.ownSession, member.session))) return;
    if (!member.tagged && member.attempts === 0) member.nextAt = this.#shared.now;
    member.tagged = true;
    // Proven for us but not for the other side (it had us blocked, or lost message 4): once more.
    const lost = member.peer !== null && !member.refused && member.nextAt <= this.#shared.now;
    if (lost) this.#begin(context, member);
    else this.pump();
  }

  #answer(context: HandshakeContext, member: Member, pending: Pending): void {
    // Message 1 was faster than our half of the work: another half would be ready later still.
    if (member.half === 'making') return;
    const handshake = new Handshake(context, 'responder', member);
    const { known, tagged } = this.#sender(context, handshake, pending);
    if (this.#running(tagged) >= ROOM_LIMITS.concurrentHandshakes) return;
    const ticket = known ? null : this.#limits.take(this.#shared.now, member.source, tagged);
    if (ticket === null && !known) return;
    // It began anew: what was under way before is lost.
    if (member.run !== null) this.#end(member, member.run, member.run.handshake.guessable);
    member.pending = null;
    const run = this.#run(member, handshake, ticket, tagged);
    const { half } = member;
    member.half = 'over';
    this.#steps(member, run, handshake.answer(pending.start, typeof half === 'object' ? half : null));
  }

  /** Strangers can make messages wait, so what is compared with every root is compared once. */
  #sender(context: HandshakeContext, handshake: Handshake, pending: Pending): Sender {
    const tag = context.roomTag();
    // A root may have gone since: only who is still known needs no ticket.
    if (pending.sender === null || pending.sender.known || pending.sender.tag !== tag) {
      const known = handshake.recognises(pending.start);
      pending.sender = { known, tagged: known || handshake.isTagged(pending.start), tag };
    }
    return pending.sender;
  }

  #run(member: Member, handshake: Handshake, ticket: Run['ticket'], tagged: boolean): Run {
    const renewal = member.peer !== null;
    member.run = { handshake, ticket, tagged, renewal, startedAt: this.#shared.now, answered: false };
    return member.run;
  }

  #running(tagged: boolean): number {
    let running = 0;
    for (const member of this.#members()) if (member.run?.tagged === tagged) running += 1;
    return running;
  }

  #steps(member: Member, run: Run, steps: Step[]): void {
    let proven: (Outcome & { type: 'proven' }) | null = null;
    for (const step of steps) {
      if (step.type === 'job') {
        this.#shared.job(step.request, (result) => this.#jobDone(member, run, result));
      } else if (step.type === 'send') {
        this.#shared.signal(member.server, member.id, step.payload);
      } else if (step.type === 'failed') {
        member.refused ||= step.refused;
        this.#end(member, run, step.guess);
      } else if (!this.#hooks.outcome(member, run, step)) {
        return this.#end(member, run, false);
      } else if (step.type === 'proven') {
        this.#proved(member, run);
        proven = step;
      }
    }
    if (proven === null) return;
    this.#hooks.settled(member, proven);
    this.pump();
  }

  #jobDone(member: Member, run: Run, result: CryptoResult): void {
    if (member.run === run) this.#steps(member, run, run.handshake.job(result));
  }

  #proved(member: Member, run: Run): void {
    // Proving again what is proved costs a guess: nobody can make us do it all the time.
    if (run.ticket !== null && !run.renewal) this.#limits.refund(run.ticket);
    member.run = null;
    member.attempts = 0;
    member.nextAt = this.#shared.now + READY_AGAIN_MS;
  }

  #end(member: Member, run: Run, guess: boolean): void {
    // Without an answer nobody could have guessed anything.
    const harmless = !guess && !run.answered && run.handshake.role === 'initiator';
    if (run.ticket !== null && harmless) this.#limits.refund(run.ticket);
    member.run = null;
    member.attempts += 1;
    const [first, cap] = guess ? [WRONG_FIRST_MS, WRONG_CAP_MS] : [RETRY_FIRST_MS, RETRY_CAP_MS];
    const backoff = Math.min(cap, first * 2 ** Math.min(member.attempts - 1, 10));
    const pause = backoff * (0.75 + this.#shared.chance() / 2);
    const window = Math.max(0, run.startedAt + ROOM_LIMITS.proofTimeoutMs - this.#shared.now);
    member.nextAt = this.#shared.now + window + pause;
    this.#hooks.failed(member, run, guess);
  }
}
