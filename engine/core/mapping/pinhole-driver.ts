/**
 * UPnP WANIPv6FirewallControl:1 towards one IPv6 gateway: a way in through its firewall to this host's own address, which
 * the router names by a number (UniqueID).
 *
 * 1. GetFirewallStatus tells whether it filters, and whether it can be asked.
 * 2. AddPinhole makes, UpdatePinhole renews, DeletePinhole closes, GetPinholePackets tells whether it still stands.
 *
 * A firewall that is off lets everything in: that counts as granted, and there is nothing to renew or delete.
 */
import type { MapperEvent, Refusal, Transport } from './contract.ts';
import { type Driver, type DriverHost, type MappingRequest, mappingKey, type Stage } from './driver.ts';
import { FIREWALLS, type IgdService } from './igd.ts';
import { IgdClient } from './igd-client.ts';
import { type SoapAnswer, UPNP_ERROR } from './soap.ts';
import { LIFETIME_S } from './tuning.ts';

const REFUSALS: Record<number, Refusal> = {
  [UPNP_ERROR.notAuthorized]: 'not-authorized',
  [UPNP_ERROR.inboundPinholeNotAllowed]: 'not-authorized',
  [UPNP_ERROR.pinholeSpaceExhausted]: 'no-resources',
};
/** IANA protocol numbers. */
const PROTOCOLS: Record<Transport, number> = { udp: 17, tcp: 6 };
/** A UniqueID is a ui2. */
const LARGEST_ID = 65_535;

export class PinholeDriver implements Driver {
  readonly protocol = 'upnp';
  readonly #host: DriverHost;
  readonly #igd: IgdClient;
  #service: IgdService | null = null;
  /** The service that answered stopped doing so: what it granted may be gone with it. */
  #lostTouch = false;
  #filters = true;
  /** What `map` was asked and `unmap` has not taken back. */
  readonly #wanted = new Set<string>();
  #adding = 0;
  #deletes = 0;

  constructor(host: DriverHost) {
    this.#host = host;
    this.#igd = new IgdClient(host, {
      types: FIREWALLS,
      described: (services) => this.#tryService(services, 0),
      done: () => this.#service !== null,
    });
  }

  probe(now: number): void {
    if (this.#igd.search(now)) this.#service = null;
  }

  tick(now: number): void {
    this.#igd.tick(now);
  }

  nextAt(): number {
    return this.#igd.nextAt();
  }

  deleting(): boolean {
    return this.#deletes > 0 || this.#adding > 0;
  }

  handle(now: number, event: MapperEvent): void {
    this.#igd.handle(now, event);
  }

  #tryService(services: readonly IgdService[], index: number): void {
    const service = services[index];
    if (service === undefined) return this.#host.unwilling(this.protocol, 'not-authorized');
    this.#igd.call(service, 'GetFirewallStatus', [], (now, status) => {
      const filters = readFlag(status, 'FirewallEnabled');
      const allowed = readFlag(status, 'InboundPinholeAllowed');
      if (filters === null || (filters && allowed !== true)) return this.#tryService(services, index + 1);
      if (this.#service !== null) return;
      this.#service = service;
      this.#filters = filters;
      this.#host.present(now, this.protocol);
      if (this.#lostTouch) this.#host.lost(now, this.protocol);
      this.#lostTouch = false;
    });
  }

  map(now: number, request: MappingRequest): void {
    this.#wanted.add(mappingKey(request));
    if (this.#service === null) return this.#host.refused(now, this.protocol, request, 'no-answer');
    if (!this.#filters) return this.#granted(now, request, null);
    if (request.pinhole === null) this.#add(this.#service, request);
    else this.#update(this.#service, request, request.pinhole);
  }

  #update(service: IgdService, request: MappingRequest, id: string): void {
    const values = [
      ['UniqueID', id],
      ['NewLeaseTime', LIFETIME_S],
    ] as const;
    this.#igd.call(service, 'UpdatePinhole', values, (now, answer) => {
      if (!this.#wanted.has(mappingKey(request))) return;
      if (answer.kind === 'ok') this.#granted(now, request, id);
      // Gone, or another's by now: a new one is made.
      else if (answer.kind === 'fault') this.#add(service, request);
      else this.#failed(now, request);
    });
  }

  /** Empty and 0 stand for every remote host and port (2.5.3). */
  #add(service: IgdService, request: MappingRequest): void {
    const values = [
      ['RemoteHost', ''],
      ['RemotePort', 0],
      ['InternalClient', this.#host.local],
      ['InternalPort', request.internalPort],
      ['Protocol', PROTOCOLS[request.transport]],
      ['LeaseTime', LIFETIME_S],
    ] as const;
    this.#adding += 1;
    this.#igd.call(service, 'AddPinhole', values, (now, answer) => {
      this.#adding -= 1;
      this.#added(now, request, answer);
    });
  }

  #added(now: number, request: MappingRequest, answer: SoapAnswer): void {
    const wanted = this.#wanted.has(mappingKey(request));
    const id = answer.kind === 'ok' ? readId(answer.value('UniqueID')) : null;
    if (id !== null) {
      // Taken back while the router was thinking: what it made is deleted again.
      return wanted ? this.#granted(now, request, id) : this.#delete(request, id);
    }
    if (!wanted) return;
    if (answer.kind === 'ok') return this.#host.refused(now, this.protocol, request, 'hostile');
    if (answer.kind !== 'fault') return this.#failed(now, request);
    if (answer.code === UPNP_ERROR.firewallDisabled) return this.#granted(now, request, null);
    this.#host.refused(now, this.protocol, request, REFUSALS[answer.code] ?? 'unsupported');
  }

  #granted(now: number, request: MappingRequest, pinhole: string | null): void {
    const grant = { externalIp: this.#host.local, externalPort: request.internalPort, pinhole };
    this.#host.granted(now, this.protocol, request, { ...grant, lifetimeS: pinhole === null ? null : LIFETIME_S });
  }

  #failed(now: number, request: MappingRequest): void {
    this.#searchAgain(now);
    this.#host.refused(now, this.protocol, request, 'no-answer');
  }

  unmap(_now: number, request: MappingRequest, stage: Stage): void {
    if (stage !== 'leftover') this.#wanted.delete(mappingKey(request));
    if (request.pinhole === null) this.#host.deleted(this.protocol, request);
    else this.#delete(request, request.pinhole);
  }

  /** Routers refuse it for a pinhole that leads to another host than the one that asks (2.5.5). */
  #delete(request: MappingRequest, id: string): void {
    if (this.#service === null) return;
    this.#deletes += 1;
    const answered = (_now: number, { kind }: SoapAnswer) => {
      this.#deletes -= 1;
      if (kind === 'ok' || kind === 'fault') this.#host.deleted(this.protocol, request);
    };
    this.#igd.call(this.#service, 'DeletePinhole', [['UniqueID', id]], answered, true);
  }

  check(now: number, request: MappingRequest): void {
    const service = this.#service;
    if (service === null) return this.probe(now);
    if (request.pinhole === null) {
      return this.#igd.call(service, 'GetFirewallStatus', [], (later, answer) => {
        this.#filters = readFlag(answer, 'FirewallEnabled') ?? this.#filters;
        if (this.#filters) this.#host.lost(later, this.protocol);
      });
    }
    this.#igd.call(service, 'GetPinholePackets', [['UniqueID', request.pinhole]], (later, answer) => {
      if (answer.kind === 'failed' && service === this.#service) return this.#searchAgain(later);
      if (answer.kind === 'fault' && answer.code === UPNP_ERROR.noSuchPinhole) this.#host.lost(later, this.protocol);
    });
  }

  /** A router that was rebooted may serve its description on another port. */
  #searchAgain(now: number): void {
    this.#service = null;
    this.#lostTouch = true;
    this.probe(now);
  }
}

/** Null for an answer that says neither. */
function readFlag(answer: SoapAnswer, name: string): boolean | null {
  const text = answer.kind === 'ok' ? answer.value(name).toLowerCase() : '';
  if (text === '1' || text === 'true' || text === 'yes') return true;
  return text === '0' || text === 'false' || text === 'no' ? false : null;
}

function readId(text: string): string | null {
  return /^\d{1,5}$/.test(text) && Number(text) <= LARGEST_ID ? text : null;
}
