/** Mappings towards the other's address, one from each socket, as fast as the budget allows, and the same ones again later. */
import type { TacticContext } from './contract.ts';
import { BATCH_MS, OPENING_TTLS, RESEND_MS } from './tuning.ts';

export class Openings {
  readonly #context: TacticContext;
  /** Port of the other's address that a socket pings, asked once for each. */
  readonly #aim: () => number;
  readonly #sockets: { id: number; port: number }[] = [];
  /** Sockets of the attempt before that have not sent in this one. */
  readonly #reused: number[];
  #nextAt = Number.POSITIVE_INFINITY;
  /** First index of the resend in progress, null while none is. */
  #resending: number | null = null;
  #resendAt = Number.POSITIVE_INFINITY;

  constructor(context: TacticContext, aim: () => number) {
    this.#context = context;
    this.#aim = aim;
    this.#reused = [...context.reused];
  }

  get count(): number {
    return this.#sockets.length;
  }

  get complete(): boolean {
    return this.#sockets.length >= this.#context.plan.sockets;
  }

  begin(now: number): void {
    this.#nextAt = now;
  }

  /** The same ones now. */
  again(now: number): void {
    this.#resendAt = Math.min(this.#resendAt, now);
  }

  opened(now: number, sockets: { id: number }[]): void {
    for (const { id } of sockets) this.#use(now, id);
  }

  #use(now: number, id: number): void {
    this.#sockets.push({ id, port: this.#aim() });
    this.#ping(this.#sockets.length - 1);
    if (this.complete) this.#resendAt = now + RESEND_MS;
  }

  /** True where a batch was due. */
  tick(now: number): boolean {
    if (now < this.#nextAt) return false;
    const { plan, budget, act } = this.#context;
    this.#nextAt = now + BATCH_MS;
    const may = budget.probes(now);
    const wanted = Math.min(may, plan.sockets - this.#sockets.length, budget.mappingsLeft(now));
    if (this.#reused.length > 0) for (const socket of this.#reused.splice(0, may)) this.#use(now, socket);
    else if (wanted > 0) act({ type: 'open', count: wanted });
    else if (this.#resendAt <= now) this.#resend(now, may);
    return true;
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
    if (socket === undefined) return;
    const ttl = openingTtl(failures, index);
    const to = { ip: remote.ip, port: socket.port };
    act({ type: 'ping', socket: socket.id, remote: to, ...(ttl === undefined ? {} : { ttl }) });
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
