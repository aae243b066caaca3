/**
 * A TCP connection with a WebSocket on it: reliable and in order, as slow as the links on its way. It dies with the
 * state that routers and hosts keep for it.
 */
import type { Timeline } from '../core/timeline.ts';
import type { Host } from './host.ts';
import type { Link } from './link.ts';
import { behindNat64, Nat, throughNat64 } from './nat.ts';

/** Text and binary WebSocket messages. */
export type StreamMessage = string | Uint8Array;

export interface StreamEnd {
  send(message: StreamMessage): void;
  /** In order after what was sent. */
  close(): void;
  /** At once, without a word on the wire. */
  abandon(): void;
}

export interface StreamReceiver {
  message(message: StreamMessage): void;
  /** The other side closed it, or the network said that it is gone. Once, and never after own close or abandon. */
  closed(): void;
}

/** The way from a host to an address, both directions, and whether the state on it is still that of the beginning. */
interface Trace {
  up: Link[];
  down: Link[];
  target: Host;
  /** The host's own address on it. */
  local: string;
  /** The source address that the target sees. */
  observed: string;
  intact(): boolean;
}

/** TCP, IP and WebSocket headers of one message. */
const OVERHEAD_BYTES = 48;

/** A host without a way to an IPv4 address dials what stands for it behind its NAT64. */
export function trace(host: Host, server: string): Trace | null {
  let ip = host.route(server) === null ? throughNat64(server) : server;
  const start = host.route(ip);
  if (start === null) return null;
  const up = [start.attachment.up];
  const down = [start.attachment.down];
  const stateful: { node: Host | Nat; generation: number }[] = [{ node: host, generation: host.generation }];
  let observed = start.address;
  let from = start.attachment;
  for (let hop = 0; hop < 8; hop++) {
    const target = from.segment.target(ip, from);
    if (target === null) return null;
    up.push(target.down);
    down.push(target.up);
    if (!(target.node instanceof Nat)) {
      const intact = () => stateful.every(({ node, generation }) => node.generation === generation);
      return { up, down, target: target.node as Host, local: start.address, observed, intact };
    }
    const nat = target.node;
    if (nat.down) return null;
    stateful.push({ node: nat, generation: nat.generation });
    const behind = nat.options.nat64 ? behindNat64(ip) : null;
    if (behind !== null || !observed.includes(':')) observed = nat.addressFor(observed);
    ip = behind ?? ip;
    from = nat.outside;
    up.push(from.up);
    down.push(from.down);
  }
  return null;
}

/** Both ends of one established connection. */
export class Stream {
  readonly client: StreamEnd;
  readonly server: StreamEnd;
  readonly #timeline: Timeline;
  readonly #trace: Trace;
  #receivers: { client: StreamReceiver | null; server: StreamReceiver | null };
  /** A segment met a link that was down. What one direction waits for, the other's acknowledgements wait for too. */
  #stalled = false;

  constructor(timeline: Timeline, way: Trace, client: StreamReceiver, server: StreamReceiver) {
    this.#timeline = timeline;
    this.#trace = way;
    this.#receivers = { client, server };
    this.client = this.#end('client', 'server', way.up);
    this.server = this.#end('server', 'client', way.down);
  }

  #end(own: 'client' | 'server', other: 'client' | 'server', links: Link[]): StreamEnd {
    let last = 0;
    const transmit = (size: number, deliver: (to: StreamReceiver) => void) => {
      if (!this.#trace.intact()) return this.#reset(own);
      last = Math.max(last, arrival(links, size + OVERHEAD_BYTES, this.#timeline.now()));
      this.#stalled ||= last === Number.POSITIVE_INFINITY;
      if (this.#stalled) return;
      this.#timeline.at(last, () => {
        const to = this.#receivers[other];
        if (to !== null && this.#trace.intact()) deliver(to);
      });
    };
    return {
      send: (message) => {
        if (this.#receivers[own] !== null) transmit(message.length, (to) => to.message(message));
      },
      close: () => {
        if (this.#receivers[own] === null) return;
        this.#receivers[own] = null;
        transmit(0, (to) => {
          this.#receivers[other] = null;
          to.closed();
        });
      },
      abandon: () => {
        this.#receivers[own] = null;
      },
    };
  }

  /** A client's segment that left through new state has a source that the server does not know: it answers RST. */
  #reset(sender: 'client' | 'server'): void {
    if (sender === 'server') return; // Its segments die at the router; only silence tells.
    const { up, down } = this.#trace;
    const sent = this.#timeline.now();
    this.#timeline.at(arrival(down, OVERHEAD_BYTES, arrival(up, OVERHEAD_BYTES, sent)), () => {
      const client = this.#receivers.client;
      this.#receivers.client = null;
      client?.closed();
    });
  }
}

/** Infinity while some link on the way is down: nothing more comes out of this connection. */
export function arrival(links: Link[], size: number, at: number): number {
  return links.reduce((time, link) => (link.up ? link.streamArrival(size, time) : Number.POSITIVE_INFINITY), at);
}
