/**
 * The state of a NAT: mappings, and the filter entries of each (RFC 4787, sections 4 and 5). Only outbound packets refresh
 * (REQ-6); a filter entry may expire while its mapping lives.
 */
import { type Endpoint, endpointKey } from './packet.ts';

/** RFC 4787's three, for mapping as for filtering. */
export type Behaviour = 'endpoint-independent' | 'address-dependent' | 'address-and-port-dependent';

export interface Mapping {
  readonly inside: Endpoint;
  readonly outside: Endpoint;
  /** Inside endpoint and the part of the remote that the mapping depends on. */
  readonly key: string;
  expiresAt: number;
  /** Part of the remote that the filter looks at, to when that entry expires. */
  readonly filters: Map<string, number>;
}

/** The part of `remote` that `behaviour` depends on. */
export function dependence(behaviour: Behaviour, remote: Endpoint): string {
  if (behaviour === 'endpoint-independent') return '*';
  return behaviour === 'address-dependent' ? remote.ip : endpointKey(remote);
}

export interface BindingOptions {
  mapping: Behaviour;
  filtering: Behaviour;
  mappingLifetimeMs: number;
  filterLifetimeMs: number;
  /** Mappings of all insiders together. */
  maxMappings: number;
  /** Filter entries of all mappings together. */
  maxSessions: number;
}

/** When one client's mappings and sessions were created. */
export interface ClientCost {
  mappings: number[];
  sessions: number[];
}

export class Bindings {
  options: BindingOptions;
  readonly #byKey = new Map<string, Mapping>();
  readonly #byOutside = new Map<string, Mapping[]>();
  /** When each outside endpoint was taken: what a punch costs the router. Netfilter's shared ones count once. */
  readonly created: number[] = [];
  /** When each filter entry was made: a session of the router's table. */
  readonly sessionsCreated: number[] = [];
  /** Both again, by inside address: what each client cost since the table was empty; and before that. */
  #clients = new Map<string, ClientCost>();
  readonly #former: ClientCost[] = [];
  /** When it forgot everything. */
  readonly cleared: number[] = [];

  constructor(options: BindingOptions) {
    this.options = options;
  }

  /** The live mapping of an outbound packet. */
  find(now: number, inside: Endpoint, remote: Endpoint): Mapping | null {
    const mapping = this.#byKey.get(this.#key(inside, remote));
    if (mapping === undefined) return null;
    if (mapping.expiresAt > now) return mapping;
    this.remove(mapping);
    this.#byKey.delete(this.#key(inside, remote));
    return null;
  }

  /** Packets to `remote` leave by this mapping from now on, unless they have one of their own. */
  adopt(now: number, mapping: Mapping, remote: Endpoint): void {
    if (this.find(now, mapping.inside, remote) === null) this.#byKey.set(this.#key(mapping.inside, remote), mapping);
  }

  /** Null when the table is full. */
  create(now: number, inside: Endpoint, remote: Endpoint, outside: Endpoint): Mapping | null {
    if (this.#byKey.size >= this.options.maxMappings) this.#expire(now);
    if (this.#byKey.size >= this.options.maxMappings) return null;
    const mapping = { inside, outside, key: this.#key(inside, remote), expiresAt: 0, filters: new Map() };
    this.#byKey.set(mapping.key, mapping);
    if (this.at(now, outside).length === 0) {
      this.created.push(now);
      this.#client(inside).mappings.push(now);
    }
    const shared = this.#byOutside.get(endpointKey(outside));
    if (shared === undefined) this.#byOutside.set(endpointKey(outside), [mapping]);
    else shared.push(mapping);
    return mapping;
  }

  /** An outbound packet to `remote` passes `mapping`: false when the session table is full. */
  refresh(now: number, mapping: Mapping, remote: Endpoint): boolean {
    const entry = dependence(this.options.filtering, remote);
    if (!mapping.filters.has(entry) && this.sessions(now) >= this.options.maxSessions) return false;
    mapping.expiresAt = now + this.options.mappingLifetimeMs;
    if ((mapping.filters.get(entry) ?? 0) <= now) {
      this.sessionsCreated.push(now);
      this.#client(mapping.inside).sessions.push(now);
    }
    mapping.filters.set(entry, now + this.options.filterLifetimeMs);
    return true;
  }

  /** The mapping that lets a packet from `remote` to `outside` in. */
  admit(now: number, outside: Endpoint, remote: Endpoint): Mapping | null {
    for (const mapping of this.at(now, outside)) {
      const until = mapping.filters.get(dependence(this.options.filtering, remote));
      if (this.options.filtering === 'endpoint-independent' || (until !== undefined && until > now)) return mapping;
    }
    return null;
  }

  /** Live mappings on an outside endpoint; several where ports are shared by destination. */
  at(now: number, outside: Endpoint): Mapping[] {
    return (this.#byOutside.get(endpointKey(outside)) ?? []).filter((mapping) => mapping.expiresAt > now);
  }

  sessions(now: number): number {
    if (this.options.maxSessions === Number.POSITIVE_INFINITY) return 0;
    let count = 0;
    for (const mapping of new Set(this.#byKey.values())) {
      if (mapping.expiresAt > now) for (const until of mapping.filters.values()) if (until > now) count++;
    }
    return count;
  }

  live(now: number): Mapping[] {
    return [...new Set(this.#byKey.values())].filter((mapping) => mapping.expiresAt > now);
  }

  remove(mapping: Mapping): void {
    this.#byKey.delete(mapping.key);
    const key = endpointKey(mapping.outside);
    const rest = (this.#byOutside.get(key) ?? []).filter((other) => other !== mapping);
    if (rest.length > 0) this.#byOutside.set(key, rest);
    else this.#byOutside.delete(key);
  }

  clear(now: number): void {
    this.cleared.push(now);
    this.#byKey.clear();
    this.#byOutside.clear();
    this.#former.push(...this.#clients.values());
    this.#clients = new Map();
  }

  /** Of each client, and each time between two flushes: a router that forgot everything bears nothing any more. */
  costs(): ClientCost[] {
    return [...this.#former, ...this.#clients.values()];
  }

  #client({ ip }: Endpoint): ClientCost {
    let client = this.#clients.get(ip);
    if (client === undefined) this.#clients.set(ip, (client = { mappings: [], sessions: [] }));
    return client;
  }

  #expire(now: number): void {
    for (const mapping of this.#byKey.values()) if (mapping.expiresAt <= now) this.remove(mapping);
  }

  #key(inside: Endpoint, remote: Endpoint): string {
    return `${endpointKey(inside)}|${dependence(this.options.mapping, remote)}`;
  }
}
