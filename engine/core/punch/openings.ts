/** Mappings towards the other's address, one from each socket, as fast as the budget allows, and the same ones again later. */
import type { Endpoint } from '../peer/contract.ts';
import type { TacticContext } from './contract.ts';
import { BATCH_MS, OPENING_TTLS, RESEND_MS, SPARING_BATCH, SPARING_EVERY_MS, SPARING_FIRST } from './tuning.ts';

export class Openings {
  readonly #context: TacticContext;
  /** What a socket pings, by its place; asked once for each. */
  readonly #aim: (index: number) => Endpoint;
  readonly #sockets: { id: number; to: Endpoint }[] = [];
  /** What the next one will ping, once that was asked. */
  #nextAim: Endpoint | null = null;
  /** Sockets of the attempt before that have not sent in this one. */
  readonly #reused: number[];
  /** Those that the plan has, or that the host gives. */
  #most: number;
  #asked = 0;
  #nextAt = Number.POSITIVE_INFINITY;
  /** First index of the resend in progress, null while none is. */
  #resending: number | null = null;
  #resendAt = Number.POSITIVE_INFINITY;
  /** When the other's probes were all out. */
  #spentAt = Number.POSITIVE_INFINITY;
  #openedAt = Number.NEGATIVE_INFINITY;

  constructor(context: TacticContext, aim: (index: number) => Endpoint) {
    this.#context = context;
    this.#aim = aim;
    this.#reused = [...context.reused];
    this.#most = context.plan.sockets;
  }

  get count(): number {
    return this.#sockets.length;
  }

  get complete(): boolean {
    return this.#sockets.length >= this.#most;
  }

  /** The host has none. */
  get hopeless(): boolean {
    return this.#most === 0;
  }

  /** When the last one was opened, once there will be no more of them; null before. */
  endedAt(now: number): number | null {
    const { sparing, budget } = this.#context;
    const open = sparing && now >= this.#spentAt && !this.complete && budget.mappingsLeft(now) > 0;
    return open ? null : this.#openedAt;
  }

  begin(now: number): void {
    this.#nextAt = now;
  }

  /** The other's probes are all out: what is opened from now on meets them. */
  spent(now: number): void {
    this.#spentAt = Math.min(this.#spentAt, now);
  }

  /** The same ones now. */
  again(now: number): void {
    this.#resendAt = Math.min(this.#resendAt, now);
  }

  opened(now: number, sockets: { id: number }[]): void {
    if (sockets.length < this.#asked) this.#short(now, sockets.length);
    for (const { id } of sockets) this.#use(now, id);
  }

  /** The host is out of sockets: these are the last. */
  #short(now: number, last: number): void {
    this.#most = this.#sockets.length + last;
    this.#resendAt = Math.min(this.#resendAt, now + RESEND_MS);
  }

  #use(now: number, id: number): void {
    this.#sockets.push({ id, to: this.#next() });
    this.#nextAim = null;
    this.#openedAt = now;
    this.#ping(now, this.#sockets.length - 1);
    if (this.complete || this.#context.sparing) this.#resendAt = Math.min(this.#resendAt, now + RESEND_MS);
  }

  #next(): Endpoint {
    this.#nextAim ??= this.#aim(this.#sockets.length);
    return this.#nextAim;
  }

  /** How many may be open by now. */
  #allowed(now: number): number {
    const { sparing, reused } = this.#context;
    if (!sparing) return this.#most;
    const turns = now < this.#spentAt ? 0 : 1 + Math.floor((now - this.#spentAt) / SPARING_EVERY_MS);
    return Math.min(this.#most, reused.length + SPARING_FIRST + SPARING_BATCH * turns);
  }

  /** Those of an attempt before, as far as they cost nothing or the budget has it. */
  #reuse(now: number, count: number): void {
    const { budget } = this.#context;
    // All of them leave when this is done: until then the budget does not know.
    let left = budget.mappingsLeft(now);
    for (const socket of this.#reused.splice(0, count)) {
      const stands = budget.stands(now, socket, this.#next());
      if (stands || left > 0) this.#use(now, socket);
      if (!stands) left -= 1;
    }
  }

  /** True where a batch was due. */
  tick(now: number): boolean {
    if (now < this.#nextAt) return false;
    const { budget } = this.#context;
    this.#nextAt = now + BATCH_MS;
    const may = budget.probes(now);
    const wanted = Math.min(may, this.#allowed(now) - this.#sockets.length, budget.mappingsLeft(now));
    if (this.#reused.length > 0) this.#reuse(now, may);
    else if (wanted > 0) this.#open(wanted);
    else if (this.#resendAt <= now) this.#resend(now, may);
    return true;
  }

  #open(count: number): void {
    this.#asked = count;
    this.#context.act({ type: 'open', count });
  }

  /** The same sockets again, in order, as far as the budget goes. */
  #resend(now: number, may: number): void {
    const from = this.#resending ?? 0;
    const to = Math.min(from + may, this.#sockets.length);
    for (let index = from; index < to; index++) this.#ping(now, index);
    this.#resending = to;
    if (to < this.#sockets.length) return;
    this.#resending = null;
    this.#resendAt = now + RESEND_MS;
  }

  /** Whichever way a mapping was opened, it is kept in the same way; where the probes are out, it must meet one. */
  #ping(now: number, index: number): void {
    const { failures, act } = this.#context;
    const socket = this.#sockets[index];
    if (socket === undefined) return;
    const ttl = now < this.#spentAt ? openingTtl(failures, index) : undefined;
    act({ type: 'ping', socket: socket.id, remote: socket.to, ...(ttl === undefined ? {} : { ttl }) });
  }

  wakeAt(): number {
    return this.#nextAt;
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
