/** A pretended gateway for the pure mapper: time goes by its wake-ups, and every request is recorded. */
import type {
  HttpRequest,
  HttpResult,
  MapperAction,
  MapperCore,
  MapperEvent,
  MappingView,
  SavedLease,
} from '../../../engine/core/mapping/contract.ts';
import { createMapper } from '../../../engine/core/mapping/mapper.ts';

export const GATEWAY = '192.168.1.1';
export const LOCAL = '192.168.1.10';
export const EXTERNAL = '81.2.69.10';
export const PORT = 51_820;
/** The same LAN over IPv6: the router has a link-local address, and a global one that it may answer from. */
export const GATEWAY_6 = 'fe80::1%eth0';
export const ROUTER_6 = '2001:db8:1::1';
export const LOCAL_6 = '2001:db8:1::2';

export interface Reply {
  /** Answers from the gateway's port 5351, unless another source is given. */
  portControl?: (bytes: Uint8Array, at: number) => Uint8Array[];
  search?: (text: string, multicast: boolean) => string[];
  http?: (request: HttpRequest) => HttpResult | null;
}

export class TestRouter {
  now = 1_000;
  readonly core: MapperCore;
  reply: Reply;
  readonly sent: { at: number; bytes: Uint8Array }[] = [];
  readonly searches: { at: number; multicast: boolean; text: string }[] = [];
  readonly requests: HttpRequest[] = [];
  saved: SavedLease[] | null = null;
  stopped = false;
  #wakeAt = Number.POSITIVE_INFINITY;
  #seed = 0;
  readonly #events: MapperEvent[] = [];
  readonly #gateway: string;

  constructor(reply: Reply, remembered: readonly SavedLease[] = [], { gateway = GATEWAY, local = LOCAL } = {}) {
    this.reply = reply;
    this.#gateway = gateway;
    const random = (length: number) => Uint8Array.from({ length }, () => (this.#seed = (this.#seed * 5 + 17) % 256));
    this.core = createMapper({ gateway, local, random, remembered });
  }

  /** The view of the tunnel's port. */
  get view(): MappingView {
    return this.core.view('udp', PORT);
  }

  map(internalPort = PORT): this {
    return this.event({ type: 'map', transport: 'udp', internalPort });
  }

  /** An event that an action of another brings about waits for its turn, as it does on a real socket. */
  event(event: MapperEvent): this {
    this.#events.push(event);
    if (this.#events.length > 1) return this;
    for (let next = this.#events[0]; next; next = this.#events[0]) {
      for (const action of this.core.handle(this.now, next)) this.#act(action);
      this.#events.shift();
    }
    return this;
  }

  /** Lets this much time pass, ms. */
  pass(ms: number): this {
    const end = this.now + ms;
    while (this.#wakeAt <= end && !this.stopped) {
      this.now = Math.max(this.now, this.#wakeAt);
      this.#wakeAt = Number.POSITIVE_INFINITY;
      this.event({ type: 'tick' });
    }
    this.now = end;
    return this;
  }

  receive(bytes: Uint8Array, from = { ip: this.#gateway, port: 5_351 }): this {
    return this.event({ type: 'port-control', from, bytes });
  }

  #act(action: MapperAction): void {
    switch (action.type) {
      case 'port-control':
        this.sent.push({ at: this.now, bytes: action.bytes });
        for (const answer of this.reply.portControl?.(action.bytes, this.now) ?? []) this.receive(answer);
        return;
      case 'search': {
        const text = Buffer.from(action.bytes).toString('latin1');
        this.searches.push({ at: this.now, multicast: action.multicast, text });
        for (const answer of this.reply.search?.(text, action.multicast) ?? []) {
          this.event({ type: 'ssdp', from: { ip: this.#gateway, port: 1_900 }, bytes: Buffer.from(answer, 'latin1') });
        }
        return;
      }
      case 'http': {
        this.requests.push(action.request);
        const result = this.reply.http?.(action.request) ?? null;
        if (result !== null) this.event({ type: 'http', id: action.request.id, result });
        return;
      }
      case 'save':
        this.saved = action.leases;
        return;
      case 'wake':
        this.#wakeAt = Math.min(this.#wakeAt, action.at);
        return;
      case 'stopped':
        this.stopped = true;
        return;
      case 'changed':
      case 'log':
    }
  }
}
