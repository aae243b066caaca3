/**
 * UPnP IGD towards one gateway.
 *
 * 1. Search: unicast to the gateway, then also multicast, until an answer names a description on the gateway.
 * 2. Describe: the description names WAN connections; the first that is connected and has an address is used.
 * 3. Map: AddPortMapping, with another port after 718 and a permanent lease after 725 or 402.
 *
 * Requests go one at a time: many routers' HTTP servers manage no more.
 */
import { type HttpRequest, type HttpResult, type MapperEvent, type Refusal } from './contract.ts';
import { type Driver, type DriverHost, mappingKey, type MappingRequest, type Stage } from './driver.ts';
import { isUsableExternal } from './external.ts';
import { wanServices, type WanService } from './igd.ts';
import { encodeSoap, readSoap, type SoapAnswer, UPNP_ERROR } from './soap.ts';
import {
  decodeSearchAnswer,
  encodeSearch,
  type GatewayUrl,
  parseGatewayUrl,
  SEARCH_TARGETS,
  SSDP_GROUP,
} from './ssdp.ts';
import { ATTEMPTS, FIRST_WAIT_MS, LIFETIME_S, LOWEST_OTHER_PORT, MAX_LOCATIONS, OTHER_PORTS } from './tuning.ts';

const REFUSALS: Record<number, Refusal> = {
  [UPNP_ERROR.notAuthorized]: 'not-authorized',
  [UPNP_ERROR.conflictInMappingEntry]: 'no-resources',
  [UPNP_ERROR.noPortMapsAvailable]: 'no-resources',
  [UPNP_ERROR.conflictWithOtherMechanisms]: 'no-resources',
};

interface Waiting {
  request: Omit<HttpRequest, 'id'>;
  answered: (now: number, result: HttpResult) => void;
}

/** One try of AddPortMapping. */
interface Attempt {
  request: MappingRequest;
  externalPort: number;
  otherPorts: number;
  leaseS: number;
}

export class UpnpDriver implements Driver {
  readonly protocol = 'upnp';
  readonly #host: DriverHost;
  #search: { sent: number; nextAt: number } | null = null;
  readonly #locations = new Set<string>();
  #service: WanService | null = null;
  #externalIp: string | null = null;
  /** The service that answered stopped doing so: what it granted may be gone with it. */
  #lostTouch = false;
  /** 725 or 402 came once: this router only knows permanent leases. */
  #permanent = false;
  readonly #queue: Waiting[] = [];
  #inFlight: { id: number; answered: Waiting['answered'] } | null = null;
  #nextId = 1;
  /** What `map` was asked and `unmap` has not taken back. */
  readonly #wanted = new Set<string>();
  #adding = 0;
  #deletes = 0;

  constructor(host: DriverHost) {
    this.#host = host;
  }

  probe(now: number): void {
    if (this.#search !== null || this.#inFlight !== null) return;
    this.#locations.clear();
    this.#service = null;
    this.#search = { sent: 0, nextAt: now };
  }

  tick(now: number): void {
    const search = this.#search;
    if (search === null || search.nextAt > now) return;
    if (search.sent === ATTEMPTS) {
      this.#search = null;
      return;
    }
    for (const target of SEARCH_TARGETS) {
      this.#host.act({ type: 'search', multicast: false, bytes: encodeSearch(target, this.#host.gateway) });
      if (search.sent > 0) this.#host.act({ type: 'search', multicast: true, bytes: encodeSearch(target, SSDP_GROUP) });
    }
    search.nextAt = now + FIRST_WAIT_MS * 2 ** search.sent;
    search.sent += 1;
  }

  nextAt(): number {
    return this.#search?.nextAt ?? Number.POSITIVE_INFINITY;
  }

  deleting(): boolean {
    return this.#deletes > 0 || this.#adding > 0;
  }

  handle(now: number, event: MapperEvent): void {
    if (event.type === 'ssdp') this.#found(event.from.ip, event.bytes);
    if (event.type !== 'http') return;
    const inFlight = this.#inFlight;
    if (inFlight === null || inFlight.id !== event.id) return this.#host.drop();
    this.#inFlight = null;
    inFlight.answered(now, event.result);
    this.#sendNext();
  }

  /** LOCATION must be on the gateway: anybody in the LAN may answer a multicast, and name any host. */
  #found(from: string, bytes: Uint8Array): void {
    const decoded = decodeSearchAnswer(bytes);
    if (decoded.kind === 'not-ours') return;
    const url = decoded.kind === 'ok' && from === this.#host.gateway ? parseGatewayUrl(decoded.location, from) : null;
    if (url === null) return this.#host.drop();
    const key = `${url.port} ${url.path}`;
    if (this.#locations.has(key) || this.#locations.size === MAX_LOCATIONS || this.#service !== null) return;
    this.#locations.add(key);
    this.#search = null;
    this.#ask({ method: 'GET', ...url }, (_now, result) => this.#described(url, result));
  }

  #described(url: GatewayUrl, result: HttpResult): void {
    if (this.#service !== null) return;
    const root = result.kind === 'answer' && result.status === 200 ? result.xml : null;
    if (root === null) return;
    this.#tryService(wanServices(root, url, this.#host.gateway), 0);
  }

  /** The first WAN connection that is connected and has an address. */
  #tryService(services: readonly WanService[], index: number): void {
    const service = services[index];
    if (service === undefined) {
      if (services.length > 0) this.#host.unwilling(this.protocol, 'network-failure');
      return;
    }
    const next = () => this.#tryService(services, index + 1);
    this.#soap(service, 'GetStatusInfo', [], (_now, status) => {
      // `Up` is what some routers say instead.
      if (status.kind !== 'ok' || !['Connected', 'Up'].includes(status.value('NewConnectionStatus'))) return next();
      this.#soap(service, 'GetExternalIPAddress', [], (now, answer) => {
        const ip = answer.kind === 'ok' ? answer.value('NewExternalIPAddress') : '';
        if (!isUsableExternal(ip)) return next();
        if (this.#service !== null) return;
        this.#service = service;
        this.#externalIp = ip;
        this.#host.present(now, this.protocol);
        if (this.#lostTouch) this.#host.lost(now, this.protocol);
        this.#lostTouch = false;
      });
    });
  }

  map(now: number, request: MappingRequest): void {
    this.#wanted.add(mappingKey(request));
    const leaseS = this.#permanent ? 0 : LIFETIME_S;
    this.#add(now, { request, externalPort: request.externalPort, otherPorts: OTHER_PORTS, leaseS });
  }

  #add(now: number, attempt: Attempt): void {
    const service = this.#service;
    if (service === null) return this.#host.refused(now, this.protocol, attempt.request, 'no-answer');
    const values = [
      ['NewRemoteHost', ''],
      ['NewExternalPort', attempt.externalPort],
      ['NewProtocol', attempt.request.transport.toUpperCase()],
      ['NewInternalPort', attempt.request.internalPort],
      ['NewInternalClient', this.#host.local],
      ['NewEnabled', 1],
      ['NewPortMappingDescription', 'Warren'],
      ['NewLeaseDuration', attempt.leaseS],
    ] as const;
    this.#adding += 1;
    this.#soap(service, 'AddPortMapping', values, (later, answer) => {
      this.#adding -= 1;
      this.#added(later, attempt, answer);
    });
  }

  #added(now: number, attempt: Attempt, answer: SoapAnswer): void {
    const { request, externalPort, leaseS } = attempt;
    const wanted = this.#wanted.has(mappingKey(request));
    if (answer.kind === 'ok') {
      // Taken back while the router was thinking: what it made is deleted again.
      if (!wanted) return this.#delete(request.transport, externalPort);
      const lifetimeS = leaseS === 0 ? null : leaseS;
      const externalIp = this.#externalIp ?? '';
      return this.#host.granted(now, this.protocol, request, { externalIp, externalPort, lifetimeS });
    }
    if (!wanted) return;
    const again = answer.kind === 'fault' ? this.#otherwise(attempt, answer.code) : null;
    if (again !== null) return this.#add(now, again);
    if (answer.kind !== 'fault') this.#searchAgain(now);
    const why = answer.kind === 'fault' ? REFUSALS[answer.code] : 'no-answer';
    this.#host.refused(now, this.protocol, request, why ?? 'unsupported');
  }

  /** What a fault asks to be done differently; null when nothing is left to try. */
  #otherwise(attempt: Attempt, code: number): Attempt | null {
    const { request, externalPort, otherPorts, leaseS } = attempt;
    switch (code) {
      case UPNP_ERROR.conflictInMappingEntry:
        return otherPorts === 0 ? null : { ...attempt, externalPort: this.#otherPort(), otherPorts: otherPorts - 1 };
      case UPNP_ERROR.samePortValuesRequired:
        return externalPort === request.internalPort ? null : { ...attempt, externalPort: request.internalPort };
      case UPNP_ERROR.onlyPermanentLeases:
      case UPNP_ERROR.invalidArgs:
        if (leaseS === 0) return null;
        this.#permanent = true;
        return { ...attempt, leaseS: 0 };
      default:
        return null;
    }
  }

  #otherPort(): number {
    const [high = 0, low = 0] = this.#host.random(2);
    return LOWEST_OTHER_PORT + ((high * 256 + low) % (65_536 - LOWEST_OTHER_PORT));
  }

  /** An entry of an earlier run may be another host's by now. One that is still asked for is deleted when it is granted. */
  unmap(_now: number, request: MappingRequest, stage: Stage): void {
    if (stage !== 'leftover') this.#wanted.delete(mappingKey(request));
    if (stage === 'granted') this.#delete(request.transport, request.externalPort);
    if (stage !== 'leftover' || this.#service === null) return;
    this.#soap(this.#service, 'GetSpecificPortMappingEntry', entryOf(request), (_later, answer) => {
      const ours =
        answer.kind === 'ok' &&
        answer.value('NewInternalClient') === this.#host.local &&
        answer.value('NewInternalPort') === String(request.internalPort);
      if (ours) this.#delete(request.transport, request.externalPort);
    });
  }

  /** Before whatever waits: a mapping that is asked for next may want the port. */
  #delete(transport: MappingRequest['transport'], externalPort: number): void {
    if (this.#service === null) return;
    const { type, control } = this.#service;
    const soap = encodeSoap(type, 'DeletePortMapping', entryOf({ transport, externalPort }));
    this.#deletes += 1;
    const answered = () => {
      this.#deletes -= 1;
    };
    this.#queue.unshift({ request: { method: 'POST', ...control, soap }, answered });
    this.#sendNext();
  }

  /** The entry is looked up, because UPnP has no epoch; then the address, which may have changed. */
  check(now: number, request: MappingRequest): void {
    const service = this.#service;
    if (service === null) return this.probe(now);
    this.#soap(service, 'GetSpecificPortMappingEntry', entryOf(request), (later, answer) => {
      if (answer.kind === 'failed' && service === this.#service) return this.#searchAgain(later);
      const gone = answer.kind === 'fault' && answer.code === UPNP_ERROR.noSuchEntry;
      const moved = answer.kind === 'ok' && answer.value('NewInternalClient') !== this.#host.local;
      if (gone || moved) this.#host.lost(later, this.protocol);
    });
    this.#soap(service, 'GetExternalIPAddress', [], (later, answer) => {
      const ip = answer.kind === 'ok' ? answer.value('NewExternalIPAddress') : '';
      if (!isUsableExternal(ip) || ip === this.#externalIp) return;
      this.#externalIp = ip;
      this.#host.lost(later, this.protocol);
    });
  }

  /** A router that was rebooted may serve its description on another port. */
  #searchAgain(now: number): void {
    this.#service = null;
    this.#lostTouch = true;
    this.probe(now);
  }

  #soap(
    service: WanService,
    action: string,
    values: readonly (readonly [string, string | number])[],
    then: (now: number, answer: SoapAnswer) => void,
  ): void {
    const soap = encodeSoap(service.type, action, values);
    this.#ask({ method: 'POST', ...service.control, soap }, (now, result) => then(now, readSoap(action, result)));
  }

  #ask(request: Waiting['request'], answered: Waiting['answered']): void {
    this.#queue.push({ request, answered });
    this.#sendNext();
  }

  #sendNext(): void {
    if (this.#inFlight !== null) return;
    const next = this.#queue.shift();
    if (next === undefined) return;
    const id = this.#nextId++;
    this.#inFlight = { id, answered: next.answered };
    this.#host.act({ type: 'http', request: { id, ...next.request } });
  }
}

/** What names an entry in the router's table. */
function entryOf({ transport, externalPort }: Pick<MappingRequest, 'transport' | 'externalPort'>) {
  return [
    ['NewRemoteHost', ''],
    ['NewExternalPort', externalPort],
    ['NewProtocol', transport.toUpperCase()],
  ] as const;
}
