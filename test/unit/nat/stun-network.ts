/** One client behind a NAT (or none), STUN servers with RFC 5780's endpoints, and virtual time. */
import type { NatAction, NatCore, NatEvent, StunServer } from '../../../engine/core/nat/contract.ts';
import { createNatCore } from '../../../engine/core/nat/discovery.ts';
import { type BindingResponse, encodeBindingResponse } from '../../../engine/core/stun/binding.ts';
import { decodeStun } from '../../../engine/core/stun/message.ts';
import type { NatReport } from '../../../protocol/nat.ts';
import type { Candidate } from '../../../protocol/peer.ts';
import type { Nat } from '../peer/network.ts';

interface Endpoint {
  ip: string;
  port: number;
}

const CHANGE_REQUEST = 0x0003;

/** `two-addresses` knows all of RFC 5780, `one-address` has a second port only, `plain` refuses CHANGE-REQUEST. */
export type ServerKind = 'two-addresses' | 'one-address' | 'plain';

export class StunNetwork {
  now = 5_000;
  readonly core: NatCore;
  readonly reports: { at: number; report: NatReport; candidates: Candidate[] }[] = [];
  readonly sent: { at: number; socket: number; to: Endpoint }[] = [];
  readonly sockets = new Map<number, number>();
  nat: Nat | null;
  readonly #local: string;
  readonly #kinds = new Map<string, ServerKind>();
  /** A socket opens this long after it was asked for. */
  readonly #socketDelayMs = 1;
  readonly oneWayMs = 15;
  hairpins = false;
  opensSockets = true;
  readonly #slow = new Map<string, number>();
  /** Decides for each datagram from the client whether it is lost. */
  loses: (index: number) => boolean = () => false;
  #jobs: { at: number; run: () => void }[] = [];
  #nextSocket = 7;
  #random = 1;

  constructor(nat: Nat | null, local = nat ? '192.168.1.10' : '203.0.113.50') {
    this.nat = nat;
    this.#local = local;
    this.sockets.set(0, 51_820);
    this.core = createNatCore({
      family: 4,
      random: (length) => Uint8Array.from({ length }, () => this.#byte()),
      localAddresses: [local],
      localPort: 51_820,
    });
  }

  #byte(): number {
    this.#random = (this.#random * 1_103_515_245 + 12_345) % 2_147_483_648;
    return (this.#random >> 16) & 0xff;
  }

  /** A server as it is announced; its primary is `ip`:3478, its second port 3479, its other address `ip` + 1. */
  server(ip: string, kind: ServerKind): StunServer {
    this.#kinds.set(ip, kind);
    const second = kind === 'two-addresses' ? nextIp(ip) : null;
    if (second !== null) this.#kinds.set(second, kind);
    return {
      primary: { ip, port: 3_478 },
      secondPort: kind === 'plain' ? null : { ip, port: 3_479 },
      alternate: second === null ? null : { ip: second, port: 3_478 },
    };
  }

  /** That server answers no more, on any of its addresses. */
  silence(ip: string): void {
    this.#kinds.delete(ip);
    this.#kinds.delete(nextIp(ip));
  }

  /** That server's primary address takes longer to answer. */
  slow(ip: string, ms: number): void {
    this.#slow.set(ip, ms);
  }

  feed(event: NatEvent): void {
    for (const action of this.core.handle(this.now, event)) this.#act(action);
  }

  run(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const job = this.#jobs[0];
      if (job === undefined || job.at > end) break;
      this.#jobs.shift();
      this.now = job.at;
      job.run();
    }
    this.now = end;
  }

  get last(): NatReport {
    return this.core.report();
  }

  #act(action: NatAction): void {
    switch (action.type) {
      case 'open-socket':
        if (!this.opensSockets) return;
        return this.#later(this.#socketDelayMs, () => {
          const socket = this.#nextSocket++;
          const port = 40_000 + socket;
          this.sockets.set(socket, port);
          this.feed({ type: 'socket', request: action.request, socket, port });
        });
      case 'close-socket':
        this.sockets.delete(action.socket);
        return;
      case 'report':
        this.reports.push({ at: this.now, report: action.report, candidates: action.candidates });
        return;
      case 'wake':
        if (action.at <= this.now) throw new Error(`woken at ${action.at}, now is ${this.now}`);
        return this.#later(action.at - this.now, () => this.feed({ type: 'tick' }));
      case 'stun':
        this.sent.push({ at: this.now, socket: action.socket, to: action.to });
        if (this.loses(this.sent.length - 1)) return;
        return this.#carry(action.socket, action.to, action.bytes);
    }
  }

  #carry(socket: number, to: Endpoint, bytes: Uint8Array): void {
    const port = this.sockets.get(socket);
    if (port === undefined) throw new Error(`socket ${socket} is closed`);
    const inside = { ip: this.#local, port };
    // To a neighbour, or to itself, nothing passes the NAT.
    if (to.ip === this.#local) return this.#later(1, () => this.#received(to.port, inside, bytes));
    const from = this.nat && !isNeighbour(to.ip, this.#local) ? this.nat.outbound(inside, to) : inside;
    if (this.nat && to.ip === this.nat.ip) {
      if (this.hairpins) this.#later(1, () => this.#arrive(to.port, from, bytes));
      return;
    }
    const kind = this.#kinds.get(to.ip);
    if (kind === undefined) return;
    this.#later(this.oneWayMs + (this.#slow.get(to.ip) ?? 0), () => this.#serve(kind, to, from, bytes));
  }

  #serve(kind: ServerKind, at: Endpoint, client: Endpoint, bytes: Uint8Array): void {
    const decoded = decodeStun(bytes);
    if (decoded.kind !== 'ok') throw new Error('the client sent no STUN');
    const { transactionId, attributes } = decoded.message;
    const flags = attributes.find((attribute) => attribute.type === CHANGE_REQUEST)?.value[3] ?? 0;
    const cannot = (flags !== 0 && kind === 'plain') || ((flags & 4) !== 0 && kind === 'one-address');
    const from = cannot ? at : changed(at, flags);
    const response: BindingResponse = cannot
      ? { kind: 'error', transactionId, error: { code: 420, phrase: '' }, unknown: [CHANGE_REQUEST] }
      : {
          kind: 'success',
          transactionId,
          mapped: client,
          origin: from,
          other: kind === 'two-addresses' ? changed(at, 6) : null,
        };
    const answer = encodeBindingResponse(response);
    this.#later(this.oneWayMs, () => {
      if (client.ip === this.#local) return this.#received(client.port, from, answer);
      if (this.nat && client.ip !== this.nat.ip) return;
      this.#arrive(client.port, from, answer);
    });
  }

  #arrive(port: number, from: Endpoint, bytes: Uint8Array): void {
    const inside = this.nat ? this.nat.inbound(port, from) : { ip: this.#local, port };
    if (inside !== null) this.#received(inside.port, from, bytes);
  }

  #received(port: number, from: Endpoint, bytes: Uint8Array): void {
    const socket = [...this.sockets].find(([, local]) => local === port)?.[0];
    if (socket !== undefined) this.feed({ type: 'stun', socket, from, bytes, at: this.now });
  }

  #later(ms: number, run: () => void): void {
    const at = this.now + ms;
    this.#jobs.splice(this.#jobs.findLastIndex((job) => job.at <= at) + 1, 0, { at, run });
  }
}

function isNeighbour(ip: string, local: string): boolean {
  return ip.slice(0, ip.lastIndexOf('.')) === local.slice(0, local.lastIndexOf('.'));
}

function nextIp(ip: string): string {
  const parts = ip.split('.').map(Number);
  parts[3] = (parts[3] ?? 0) + 1;
  return parts.join('.');
}

function changed(at: Endpoint, flags: number): Endpoint {
  const other = Number(at.ip.split('.')[3]) % 2 === 0 ? nextIp(at.ip) : at.ip;
  return { ip: flags & 4 ? other : at.ip, port: flags & 2 ? 6_957 - at.port : at.port };
}
