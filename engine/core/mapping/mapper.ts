/**
 * The mapper: what should be mapped at one gateway, by whichever protocol the gateway speaks.
 *
 * 1. The first `map` asks over PCP, NAT-PMP and UPnP at once whether they are spoken. Nothing is opened by that. An IPv6
 *    gateway is asked over PCP and UPnP, for a pinhole.
 * 2. The best one that answered makes the mapping; a refusal hands it to the next.
 * 3. It is renewed at half of its lifetime, and made again when the gateway turns out to have forgotten it.
 * 4. `unmap` and `stop` delete.
 */
import { bytesToHex } from '../crypto/bytes.ts';
import type {
  MapperAction,
  MapperCore,
  MapperEvent,
  MapperOptions,
  MappingProtocol,
  MappingView,
  Refusal,
  SavedLease,
  Transport,
} from './contract.ts';
import type { Driver, DriverHost, Grant, MappingRequest } from './driver.ts';
import { mappingKey } from './driver.ts';
import { NatPmpDriver } from './nat-pmp-driver.ts';
import { NONCE_BYTES } from './pcp.ts';
import { PcpDriver } from './pcp-driver.ts';
import { PinholeDriver } from './pinhole-driver.ts';
import {
  CHECK_MS,
  GRACE_MS,
  LIFETIME_S,
  LONGEST_LIFETIME_S,
  RESET_GAP_MS,
  RETRY_MS,
  SETTLED_MS,
  SHORTEST_LIFETIME_S,
  STOP_WITHIN_MS,
} from './tuning.ts';
import { UpnpDriver } from './upnp-driver.ts';

interface Mapping {
  /** Its external port is what was granted last, or what to ask for. */
  readonly request: MappingRequest;
  pending: MappingProtocol | null;
  active: { protocol: MappingProtocol; externalIp: string; renewAt: number; expiresAt: number } | null;
  readonly refusals: Map<MappingProtocol, Refusal>;
  failure: Refusal | null;
}

export function createMapper(options: MapperOptions): MapperCore {
  return new Mapper(options);
}

class Mapper implements MapperCore {
  readonly #options: MapperOptions;
  /** Best first. */
  readonly #drivers: readonly Driver[];
  readonly #mappings = new Map<string, Mapping>();
  readonly #present = new Set<MappingProtocol>();
  readonly #unwilling = new Map<MappingProtocol, Refusal>();
  readonly #resetAt = new Map<MappingProtocol, number>();
  /** Of an earlier run: at this gateway and not yet dealt with, and at others. */
  #leftovers: SavedLease[];
  readonly #elsewhere: SavedLease[];
  /** Deleted, as far as this host can do: until the gateway says so they are kept in mind for the next run. */
  #parting: SavedLease[] = [];
  #actions: MapperAction[] = [];
  #probedAt: number | null = null;
  #firstPresentAt: number | null = null;
  #roundAt = Number.POSITIVE_INFINITY;
  #roundedAt = Number.NEGATIVE_INFINITY;
  #stopBy: number | null = null;
  #stopped = false;
  #shown = '';
  #saved: string;
  #dropped = 0;

  constructor(options: MapperOptions) {
    this.#options = options;
    this.#leftovers = options.remembered.filter((lease) => this.#isHere(lease));
    this.#elsewhere = options.remembered.filter((lease) => !this.#isHere(lease));
    this.#saved = JSON.stringify(this.#leases());
    const host = {
      gateway: options.gateway,
      local: options.local,
      random: options.random,
      act: (action: MapperAction) => void this.#actions.push(action),
      drop: () => void this.#dropped++,
      present: (now: number, protocol: MappingProtocol) => this.#isPresent(now, protocol),
      unwilling: (protocol: MappingProtocol, why: Refusal) => void this.#unwilling.set(protocol, why),
      granted: (now: number, protocol: MappingProtocol, request: MappingRequest, grant: Grant) =>
        this.#granted(now, protocol, request, grant),
      refused: (now: number, protocol: MappingProtocol, request: MappingRequest, why: Refusal) =>
        this.#refused(now, protocol, request, why),
      deleted: (protocol: MappingProtocol, request: MappingRequest) => this.#deleted(protocol, request),
      lost: (now: number, protocol: MappingProtocol) => this.#lost(now, protocol),
    };
    this.#drivers = driversFor(host);
  }

  /** Routers of many networks have the same address, but no two hosts the same global one. */
  #isHere({ gateway, client }: SavedLease): boolean {
    return gateway === this.#options.gateway && (client ?? this.#options.local) === this.#options.local;
  }

  #driver(protocol: MappingProtocol): Driver {
    const found = this.#drivers.find((driver) => driver.protocol === protocol);
    if (found === undefined) throw new Error(`${protocol} is not spoken here`);
    return found;
  }

  dropped(): number {
    return this.#dropped;
  }

  view(transport: Transport, internalPort: number): MappingView {
    const mapping = this.#mappings.get(mappingKey({ transport, internalPort }));
    if (mapping?.active) {
      const { protocol, externalIp } = mapping.active;
      return { state: 'active', protocol, external: { ip: externalIp, port: mapping.request.externalPort } };
    }
    return mapping?.failure ? { state: 'failed', why: mapping.failure } : { state: 'none' };
  }

  handle(now: number, event: MapperEvent): MapperAction[] {
    if (this.#stopped) return [];
    switch (event.type) {
      case 'map':
        this.#map(now, event.transport, event.internalPort);
        break;
      case 'unmap':
        this.#unmap(now, mappingKey(event));
        break;
      case 'refresh':
        this.#refresh(now);
        break;
      case 'stop':
        for (const key of this.#mappings.keys()) this.#unmap(now, key);
        this.#stopBy ??= now + STOP_WITHIN_MS;
        break;
      case 'tick':
        break;
      default:
        for (const driver of this.#drivers) driver.handle(now, event);
    }
    this.#advance(now);
    return this.#actions.splice(0);
  }

  /** Everything that is due, and then what follows from it. */
  #advance(now: number): void {
    if (this.#stopBy === null) {
      if (this.#roundAt <= now) this.#round(now);
      for (const mapping of this.#mappings.values()) this.#keep(now, mapping);
    }
    for (const driver of this.#drivers) driver.tick(now);
    for (const mapping of this.#mappings.values()) this.#choose(now, mapping);
    for (const driver of this.#drivers) driver.tick(now);
    this.#publish(now);
  }

  #map(now: number, transport: Transport, internalPort: number): void {
    const key = mappingKey({ transport, internalPort });
    if (this.#mappings.has(key) || this.#stopBy !== null) return;
    this.#mappings.set(key, {
      request: { transport, internalPort, ...this.#resume(transport, internalPort) },
      pending: null,
      active: null,
      refusals: new Map(),
      failure: null,
    });
    if (this.#probedAt === null) this.#probe(now);
  }

  /** An earlier run's mapping of the same port is taken over; of another port, its outer port is asked for again. */
  #resume(transport: Transport, internalPort: number): Pick<MappingRequest, 'externalPort' | 'nonce' | 'pinhole'> {
    const used = [...this.#mappings.values()].map(({ request }) => request.externalPort);
    const left = [...this.#parting, ...this.#leftovers];
    const of = left.filter((lease) => lease.transport === transport && !used.includes(lease.externalPort));
    const same = of.find((lease) => lease.internalPort === internalPort);
    this.#parting = this.#parting.filter((lease) => lease !== same);
    this.#leftovers = this.#leftovers.filter((lease) => lease !== same);
    return {
      externalPort: (same ?? of[0])?.externalPort ?? internalPort,
      nonce: same?.nonce ?? bytesToHex(this.#options.random(NONCE_BYTES)),
      pinhole: same?.pinhole ?? null,
    };
  }

  #unmap(now: number, key: string): void {
    const mapping = this.#mappings.get(key);
    if (mapping === undefined) return;
    this.#mappings.delete(key);
    const { active, pending, request } = mapping;
    this.#parting.push(...this.#leaseOf(mapping));
    if (active) this.#driver(active.protocol).unmap(now, request, 'granted');
    if (pending && pending !== active?.protocol) this.#driver(pending).unmap(now, request, 'pending');
  }

  #probe(now: number): void {
    this.#probedAt = now;
    this.#firstPresentAt = null;
    this.#unwilling.clear();
    for (const driver of this.#drivers) {
      const inUse = [...this.#mappings.values()].some((mapping) => mapping.active?.protocol === driver.protocol);
      if (inUse) continue;
      this.#present.delete(driver.protocol);
      driver.probe(now);
    }
    this.#roundedAt = now;
    this.#roundAt = now + RETRY_MS;
  }

  /** Not only the mapping may be another one: so may the gateway's address be, or what it is willing to do. */
  #refresh(now: number): void {
    if (this.#probedAt === null) return;
    for (const { active } of this.#mappings.values()) if (active) active.renewAt = now;
    this.#roundAt = Math.min(this.#roundAt, Math.max(now, this.#roundedAt + RESET_GAP_MS));
  }

  /** Asks whether what stands still stands, and tries again what does not. */
  #round(now: number): void {
    const all = [...this.#mappings.values()];
    const idle = all.filter((mapping) => !mapping.active && !mapping.pending);
    for (const mapping of idle) mapping.refusals.clear();
    if (idle.length > 0) this.#probe(now);
    for (const { active, request } of all) if (active) this.#driver(active.protocol).check(now, request);
    this.#roundedAt = now;
    this.#roundAt = now + CHECK_MS;
  }

  /** Renews at half of the lifetime; what was not renewed in time is gone. */
  #keep(now: number, mapping: Mapping): void {
    const { active } = mapping;
    if (active === null) return;
    if (active.expiresAt <= now) {
      mapping.active = null;
      return;
    }
    if (active.renewAt > now || mapping.pending) return;
    active.renewAt = Number.POSITIVE_INFINITY;
    mapping.pending = active.protocol;
    this.#driver(active.protocol).map(now, mapping.request);
  }

  #choose(now: number, mapping: Mapping): void {
    if (mapping.active || mapping.pending || this.#stopBy !== null) return;
    const best = this.#best(mapping);
    if (best === undefined) {
      const whys = [...mapping.refusals.values(), ...this.#unwilling.values()];
      if (now >= (this.#probedAt ?? now) + SETTLED_MS && whys[0]) mapping.failure = whys[0];
      return;
    }
    if (now < this.#chooseAt(best)) return;
    mapping.pending = best;
    this.#driver(best).map(now, mapping.request);
  }

  #best(mapping: Mapping): MappingProtocol | undefined {
    return this.#drivers.find(({ protocol }) => this.#present.has(protocol) && !mapping.refusals.has(protocol))
      ?.protocol;
  }

  /** The best needs no patience; the others give it a moment to answer too. */
  #chooseAt(best: MappingProtocol): number {
    return best === this.#drivers[0]?.protocol ? 0 : (this.#firstPresentAt ?? 0) + GRACE_MS;
  }

  #isPresent(now: number, protocol: MappingProtocol): void {
    if (this.#present.has(protocol)) return;
    this.#present.add(protocol);
    this.#firstPresentAt ??= now;
    const mine = this.#leftovers.filter((lease) => lease.protocol === protocol);
    this.#leftovers = this.#leftovers.filter((lease) => lease.protocol !== protocol);
    this.#parting.push(...mine);
    for (const lease of mine) {
      const { transport, internalPort, externalPort, nonce, pinhole = null } = lease;
      const request = { transport, internalPort, externalPort, nonce: nonce ?? '', pinhole };
      this.#driver(protocol).unmap(now, request, 'leftover');
    }
  }

  #granted(now: number, protocol: MappingProtocol, request: MappingRequest, grant: Grant): void {
    const mapping = this.#mappings.get(mappingKey(request));
    if (mapping?.pending !== protocol) return;
    mapping.pending = null;
    mapping.failure = null;
    mapping.request.externalPort = grant.externalPort;
    mapping.request.pinhole = grant.pinhole ?? null;
    const lifetimeS = Math.min(Math.max(grant.lifetimeS ?? LIFETIME_S, SHORTEST_LIFETIME_S), LONGEST_LIFETIME_S);
    mapping.active = {
      protocol,
      externalIp: grant.externalIp,
      renewAt: now + (lifetimeS / 2) * 1_000,
      expiresAt: grant.lifetimeS === null ? Number.POSITIVE_INFINITY : now + lifetimeS * 1_000,
    };
  }

  #refused(now: number, protocol: MappingProtocol, request: MappingRequest, why: Refusal): void {
    const mapping = this.#mappings.get(mappingKey(request));
    if (mapping?.pending !== protocol) return;
    mapping.pending = null;
    const { active } = mapping;
    if (active && why === 'no-answer' && active.expiresAt > now) {
      // The lease still runs: half of what is left, as RFC 6887, 11.2.1 has it.
      const left = Number.isFinite(active.expiresAt) ? active.expiresAt - now : LIFETIME_S * 1_000;
      active.renewAt = now + Math.max(left / 2, (SHORTEST_LIFETIME_S / 2) * 1_000);
      return;
    }
    mapping.active = null;
    mapping.refusals.set(protocol, why);
    this.#actions.push({ type: 'log', message: `${protocol} did not map ${mappingKey(request)}: ${why}` });
  }

  #deleted(protocol: MappingProtocol, request: MappingRequest): void {
    const named = mappingKey(request);
    this.#parting = this.#parting.filter((lease) => lease.protocol !== protocol || mappingKey(lease) !== named);
  }

  #lost(now: number, protocol: MappingProtocol): void {
    const earliest = (this.#resetAt.get(protocol) ?? Number.NEGATIVE_INFINITY) + RESET_GAP_MS;
    const at = Math.max(now, earliest);
    if (at === now) this.#resetAt.set(protocol, now);
    for (const { active } of this.#mappings.values()) {
      if (active?.protocol === protocol) active.renewAt = Math.min(active.renewAt, at);
    }
  }

  #leases(): SavedLease[] {
    const own = [...this.#mappings.values()].flatMap((mapping) => this.#leaseOf(mapping));
    return [...own, ...this.#parting, ...this.#leftovers, ...this.#elsewhere];
  }

  #leaseOf({ active, request }: Mapping): SavedLease[] {
    if (active === null) return [];
    const { gateway, local } = this.#options;
    const { transport, internalPort, externalPort } = request;
    const nonce = active.protocol === 'pcp' ? request.nonce : null;
    const lease = { protocol: active.protocol, transport, gateway, internalPort, externalPort, nonce };
    if (!isPinhole(local)) return [lease];
    return [{ ...lease, client: local, ...(request.pinhole === null ? {} : { pinhole: request.pinhole }) }];
  }

  #publish(now: number): void {
    const views = [...this.#mappings.values()].map(({ request }) => this.view(request.transport, request.internalPort));
    const shown = JSON.stringify(views);
    if (shown !== this.#shown) this.#actions.push({ type: 'changed' });
    this.#shown = shown;
    const leases = this.#leases();
    const saved = JSON.stringify(leases);
    if (saved !== this.#saved) this.#actions.push({ type: 'save', leases });
    this.#saved = saved;
    if (this.#stopBy !== null && (now >= this.#stopBy || !this.#deleting())) {
      this.#stopped = true;
      this.#actions.push({ type: 'stopped' });
      return;
    }
    const at = this.#nextAt(now);
    if (Number.isFinite(at)) this.#actions.push({ type: 'wake', at });
  }

  #deleting(): boolean {
    return this.#drivers.some((driver) => driver.deleting());
  }

  #nextAt(now: number): number {
    const times = this.#drivers.map((driver) => driver.nextAt());
    if (this.#stopBy !== null) return Math.min(this.#stopBy, ...times);
    times.push(this.#roundAt);
    const settledAt = (this.#probedAt ?? now) + SETTLED_MS;
    for (const mapping of this.#mappings.values()) {
      if (mapping.active) times.push(mapping.active.expiresAt, mapping.pending ? Infinity : mapping.active.renewAt);
      else if (!mapping.pending) {
        const best = this.#best(mapping);
        const at = best === undefined ? settledAt : this.#chooseAt(best);
        if (at > now) times.push(at);
      }
    }
    return Math.min(...times);
  }
}

/** Best first: PCP tells the most and is the only one whose mappings belong to who made them. */
function driversFor(host: DriverHost): Driver[] {
  const pcp = new PcpDriver(host);
  return isPinhole(host.local) ? [pcp, new PinholeDriver(host)] : [pcp, new NatPmpDriver(host), new UpnpDriver(host)];
}

function isPinhole(local: string): boolean {
  return local.includes(':');
}
