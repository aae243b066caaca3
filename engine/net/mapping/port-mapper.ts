/** Port mapping on a real host: finds the gateway, runs the pure mapper against it, starts anew on another network. */
import { randomBytes } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import type {
  MapperAction,
  MapperCore,
  MapperEvent,
  MappingView,
  SavedLease,
  Transport,
} from '../../core/mapping/contract.ts';
import { mappingKey } from '../../core/mapping/driver.ts';
import { createMapper } from '../../core/mapping/mapper.ts';
import type { OpenMapping, PortMappingPort } from '../../ports.ts';
import { Waker } from '../../wake.ts';
import { systemClock } from '../clock.ts';
import { defaultGateway, defaultGateway6 } from './gateway.ts';
import { askGateway } from './http.ts';
import { type GatewaySockets, globalAddress, openGatewaySockets } from './sockets.ts';
import type { LeaseStore } from './store.ts';

export interface PortMapperOptions {
  store: LeaseStore;
  /** Interfaces whose default routes do not count: the tunnel's own. */
  excludeInterfaces: readonly string[];
  log(level: 'debug' | 'info' | 'warn', message: string): void;
}

/** How often the default route is looked at: reading it is cheap on Linux and a process elsewhere. */
const GATEWAY_POLL_MS = process.platform === 'linux' ? 5_000 : 60_000;

/**
 * Does nothing until the first `open`, and nothing after the last `close`. Null where the environment says
 * `WARREN_PORT_MAPPING=off`: for machines, and test runs, that must never ask their router anything.
 */
export function createPortMapper(options: PortMapperOptions): PortMappingPort | null {
  return process.env.WARREN_PORT_MAPPING === 'off' ? null : new PortMapper(options);
}

/** Towards the IPv4 gateway and the IPv6 one, each by itself; they share the file of leases. */
class PortMapper implements PortMappingPort {
  readonly #ipv4: FamilyMapper;
  readonly #ipv6: FamilyMapper;

  constructor(options: PortMapperOptions) {
    const leases = new SharedLeases(options);
    this.#ipv4 = new FamilyMapper(4, options, leases);
    this.#ipv6 = new FamilyMapper(6, options, leases);
  }

  open(transport: Transport, internalPort: number, changed: () => void): OpenMapping {
    return this.#ipv4.open(transport, internalPort, changed);
  }

  pinhole(transport: Transport, internalPort: number, changed: () => void): OpenMapping {
    return this.#ipv6.open(transport, internalPort, changed);
  }
}

/** One file, to which each family writes its own part. Read when it is first needed. */
class SharedLeases {
  readonly #options: PortMapperOptions;
  #held: SavedLease[] | null = null;

  constructor(options: PortMapperOptions) {
    this.#options = options;
  }

  of(family: 4 | 6): SavedLease[] {
    this.#held ??= this.#options.store.load();
    return this.#held.filter((lease) => familyOf(lease) === family);
  }

  save(family: 4 | 6, leases: readonly SavedLease[]): void {
    this.#held = [...leases, ...this.of(family === 4 ? 6 : 4)];
    try {
      this.#options.store.save(this.#held);
    } catch (error) {
      this.#options.log('warn', `port mappings could not be saved: ${String(error)}`);
    }
  }
}

function familyOf({ gateway }: SavedLease): 4 | 6 {
  return gateway.includes(':') ? 6 : 4;
}

interface Entry {
  readonly transport: Transport;
  readonly internalPort: number;
  readonly changed: () => void;
}

class FamilyMapper {
  readonly #family: 4 | 6;
  readonly #options: PortMapperOptions;
  readonly #leases: SharedLeases;
  readonly #entries = new Set<Entry>();
  #session: GatewaySession | null = null;
  #timer: NodeJS.Timeout | null = null;
  /** Changes of the session, one after the other. */
  #work: Promise<void> = Promise.resolve();

  constructor(family: 4 | 6, options: PortMapperOptions, leases: SharedLeases) {
    this.#family = family;
    this.#options = options;
    this.#leases = leases;
  }

  open(transport: Transport, internalPort: number, changed: () => void): OpenMapping {
    const entry = { transport, internalPort, changed };
    this.#entries.add(entry);
    this.#timer ??= setInterval(() => this.#follow(), GATEWAY_POLL_MS).unref();
    // Later, never from within this call: the caller's `changed` may use what is returned here.
    this.#follow();
    return {
      view: () => this.#session?.view(transport, internalPort) ?? { state: 'none' },
      refresh: () => {
        this.#follow();
        this.#session?.handle({ type: 'refresh' });
      },
      close: () => this.#close(entry),
    };
  }

  /** The last one to go takes the session along, and waits until the gateway has heard of it. */
  async #close(entry: Entry): Promise<void> {
    if (!this.#entries.delete(entry)) return await this.#work;
    if (this.#entries.size > 0) return this.#session?.want(this.#entries);
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#follow();
    await this.#work;
  }

  #follow(): void {
    this.#work = this.#work
      .then(() => this.#settle())
      .catch((error: unknown) => {
        this.#options.log('warn', `port mapping: ${String(error)}`);
      });
  }

  /** One session for the present gateway while something is to be mapped; none otherwise. */
  async #settle(): Promise<void> {
    const wanted = this.#entries.size > 0;
    const gateway = wanted ? await this.#gateway() : null;
    const present = this.#session;
    if (present !== null && present.gateway === gateway && (await present.isCurrent()))
      return present.want(this.#entries);
    if (present !== null) {
      this.#session = null;
      await present.stop();
      this.#changed();
    }
    if (gateway === null || this.#entries.size === 0) return;
    const session = await GatewaySession.start(gateway, this.#leases.of(this.#family), {
      changed: () => this.#changed(),
      save: (leases) => this.#leases.save(this.#family, leases),
      log: this.#options.log,
    });
    if (session === null) return;
    this.#session = session;
    this.#options.log('debug', `port mapping: asking the gateway ${gateway}`);
    session.want(this.#entries);
  }

  #gateway(): Promise<string | null> {
    const options = { exclude: this.#options.excludeInterfaces };
    return this.#family === 4 ? defaultGateway(options) : defaultGateway6(options);
  }

  #changed(): void {
    for (const { changed } of this.#entries) changed();
  }
}

interface SessionHandlers {
  changed(): void;
  save(leases: SavedLease[]): void;
  log: PortMapperOptions['log'];
}

/** The mapper of one gateway, acting. */
class GatewaySession {
  readonly gateway: string;
  readonly #local: string;
  readonly #sockets: GatewaySockets;
  readonly #core: MapperCore;
  readonly #handlers: SessionHandlers;
  readonly #waker: Waker;
  readonly #mapped = new Map<string, Entry>();
  readonly #abort = new AbortController();
  readonly #ended: Promise<void>;
  #end!: () => void;
  #over = false;

  static async start(
    gateway: string,
    remembered: readonly SavedLease[],
    handlers: SessionHandlers,
  ): Promise<GatewaySession | null> {
    let session: GatewaySession | null = null;
    const sockets = await openGatewaySockets(gateway, {
      portControl: (from, bytes) => session?.handle({ type: 'port-control', from, bytes }),
      ssdp: (from, bytes) => session?.handle({ type: 'ssdp', from, bytes }),
    });
    if (sockets === null) return null;
    session = new GatewaySession(gateway, sockets, remembered, handlers);
    return session;
  }

  private constructor(
    gateway: string,
    sockets: GatewaySockets,
    remembered: readonly SavedLease[],
    handlers: SessionHandlers,
  ) {
    this.gateway = gateway;
    this.#local = sockets.local;
    this.#sockets = sockets;
    this.#handlers = handlers;
    const random = (length: number) => new Uint8Array(randomBytes(length));
    this.#core = createMapper({ gateway, local: sockets.local, random, remembered });
    this.#waker = new Waker(systemClock, () => this.handle({ type: 'tick' }));
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  view(transport: Transport, internalPort: number): MappingView {
    return this.#core.view(transport, internalPort);
  }

  /** Whether this host still has the address that the gateway forwards to; in IPv6, whether it still is the one in use. */
  async isCurrent(): Promise<boolean> {
    if (this.#local.includes(':')) return (await globalAddress().catch(() => null)) === this.#local;
    return Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === this.#local));
  }

  /** Maps what is new among these and unmaps what is no longer. */
  want(entries: Iterable<Entry>): void {
    const wanted = new Map([...entries].map((entry) => [mappingKey(entry), entry]));
    for (const [key, entry] of this.#mapped) {
      if (wanted.has(key)) continue;
      this.#mapped.delete(key);
      this.handle({ type: 'unmap', transport: entry.transport, internalPort: entry.internalPort });
    }
    for (const [key, entry] of wanted) {
      if (this.#mapped.has(key)) continue;
      this.#mapped.set(key, entry);
      this.handle({ type: 'map', transport: entry.transport, internalPort: entry.internalPort });
    }
  }

  handle(event: MapperEvent): void {
    if (this.#over) return;
    for (const action of this.#core.handle(systemClock.now(), event)) this.#act(action);
  }

  /** Deletes the mappings; resolves when the gateway has confirmed, or has had its time. */
  async stop(): Promise<void> {
    this.handle({ type: 'stop' });
    await this.#ended;
  }

  #act(action: MapperAction): void {
    switch (action.type) {
      case 'port-control':
        return this.#sockets.portControl(action.bytes);
      case 'search':
        return this.#sockets.search(action.multicast, action.bytes);
      case 'http':
        void this.#ask(action.request);
        return;
      case 'changed':
        return this.#handlers.changed();
      case 'save':
        return this.#handlers.save(action.leases);
      case 'log':
        return this.#handlers.log('debug', `port mapping: ${action.message}`);
      case 'wake':
        return this.#waker.wakeAt(action.at);
      case 'stopped':
        return this.#finish();
    }
  }

  async #ask(request: Extract<MapperAction, { type: 'http' }>['request']): Promise<void> {
    const result = await askGateway({ gateway: this.gateway, local: this.#local }, request, this.#abort.signal);
    this.handle({ type: 'http', id: request.id, result });
  }

  #finish(): void {
    this.#over = true;
    this.#waker.stop();
    this.#abort.abort();
    this.#sockets.close();
    this.#end();
  }
}
