/**
 * The UPnP side of one gateway, for whichever of its services a driver speaks to.
 *
 * 1. Search: unicast to the gateway, then also multicast, until an answer names a description on the gateway.
 * 2. Describe: the description names services; the driver is given those that it wants.
 * 3. Call: SOAP requests go one at a time, because many routers' HTTP servers manage no more.
 */
import ipaddr from 'ipaddr.js';
import { parseAddress } from '../candidates/address.ts';
import type { Endpoint, HttpRequest, HttpResult, MapperEvent } from './contract.ts';
import type { DriverHost } from './driver.ts';
import { type IgdService, servicesOf } from './igd.ts';
import { encodeSoap, readSoap, type SoapAnswer } from './soap.ts';
import {
  decodeSearchAnswer,
  encodeSearch,
  type GatewayUrl,
  parseGatewayUrl,
  SEARCH_TARGETS,
  SSDP_GROUP,
  SSDP_GROUP_IPV6,
  withoutZone,
} from './ssdp.ts';
import { ATTEMPTS, FIRST_WAIT_MS, MAX_LOCATIONS } from './tuning.ts';

/** Arguments of an action, in the order of its definition. */
export type SoapValues = readonly (readonly [string, string | number])[];

export interface IgdClientOptions {
  /** Services that the driver knows, best first. */
  types: readonly string[];
  /** What a description offers of them, best first; never empty. */
  described(services: readonly IgdService[]): void;
  /** Whether the driver has what it needs: then nothing more is looked at. */
  done(): boolean;
}

interface Waiting {
  request: Omit<HttpRequest, 'id'>;
  answered: (now: number, result: HttpResult) => void;
}

/** The subnet of every LAN (RFC 4291, 2.5.1). */
const SUBNET_BITS = 64;

export class IgdClient {
  readonly #host: DriverHost;
  readonly #options: IgdClientOptions;
  readonly #group: string;
  #search: { sent: number; nextAt: number } | null = null;
  readonly #locations = new Set<string>();
  readonly #queue: Waiting[] = [];
  #inFlight: { id: number; answered: Waiting['answered'] } | null = null;
  #nextId = 1;

  constructor(host: DriverHost, options: IgdClientOptions) {
    this.#host = host;
    this.#options = options;
    this.#group = host.local.includes(':') ? SSDP_GROUP_IPV6 : SSDP_GROUP;
  }

  /** False while a search is under way already. */
  search(now: number): boolean {
    if (this.#search !== null || this.#inFlight !== null) return false;
    this.#locations.clear();
    this.#search = { sent: 0, nextAt: now };
    return true;
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
      if (search.sent > 0)
        this.#host.act({ type: 'search', multicast: true, bytes: encodeSearch(target, this.#group) });
    }
    search.nextAt = now + FIRST_WAIT_MS * 2 ** search.sent;
    search.sent += 1;
  }

  nextAt(): number {
    return this.#search?.nextAt ?? Number.POSITIVE_INFINITY;
  }

  handle(now: number, event: MapperEvent): void {
    if (event.type === 'ssdp') this.#found(event.from, event.bytes);
    if (event.type !== 'http') return;
    const inFlight = this.#inFlight;
    if (inFlight === null || inFlight.id !== event.id) return this.#host.drop();
    this.#inFlight = null;
    inFlight.answered(now, event.result);
    this.#sendNext();
  }

  /** `then` follows in its turn; `urgent` goes before whatever waits. */
  call(
    service: IgdService,
    action: string,
    values: SoapValues,
    then: (now: number, answer: SoapAnswer) => void,
    urgent = false,
  ): void {
    const soap = encodeSoap(service.type, action, values);
    const waiting: Waiting = {
      request: { method: 'POST', ...service.control, soap },
      answered: (now, result) => then(now, readSoap(action, result)),
    };
    if (urgent) this.#queue.unshift(waiting);
    else this.#queue.push(waiting);
    this.#sendNext();
  }

  /** LOCATION must be on the gateway: anybody in the LAN may answer a multicast, and name any host. */
  #found(from: Endpoint, bytes: Uint8Array): void {
    const decoded = decodeSearchAnswer(bytes);
    if (decoded.kind === 'not-ours') return;
    const addresses = this.#addressesOf(from.ip);
    const url = decoded.kind === 'ok' && addresses !== null ? parseGatewayUrl(decoded.location, addresses) : null;
    if (url === null || addresses === null) return this.#host.drop();
    const key = `${url.port} ${url.path}`;
    if (this.#locations.has(key) || this.#locations.size === MAX_LOCATIONS || this.#options.done()) return;
    this.#locations.add(key);
    this.#search = null;
    this.#queue.push({
      request: { method: 'GET', ...url },
      answered: (_now, result) => this.#described(url, addresses, result),
    });
    this.#sendNext();
  }

  /**
   * Under which addresses this answer may speak of the gateway; null: it is not believed. An IPv6 router is known by its
   * link-local address and answers from another one of the link. Nothing but a port and a path is taken from such an
   * answer: every request goes to the gateway that the system's routes name.
   */
  #addressesOf(from: string): string[] | null {
    const { gateway, local } = this.#host;
    const source = withoutZone(from);
    if (source === withoutZone(gateway)) return [source];
    return local.includes(':') && isOnLink(source, local) ? [withoutZone(gateway), source] : null;
  }

  #described(url: GatewayUrl, addresses: readonly string[], result: HttpResult): void {
    const root = result.kind === 'answer' && result.status === 200 ? result.xml : null;
    if (root === null || this.#options.done()) return;
    const services = servicesOf(root, this.#options.types, url, addresses);
    if (services.length > 0) this.#options.described(services);
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

function isOnLink(ip: string, local: string): boolean {
  const address = parseAddress(ip);
  if (address === null || address.family !== 6) return false;
  return address.scope === 'link-local' || ipaddr.IPv6.parse(ip).match(ipaddr.IPv6.parse(local), SUBNET_BITS);
}
