/**
 * UPnP IGD towards one IPv4 gateway.
 *
 * 1. Its description names WAN connections; the first that is connected and has an address is used.
 * 2. Map: AddPortMapping, with another port after 718 or 501 and a permanent lease after 725 or 402.
 */
import type { MapperEvent, Refusal } from './contract.ts';
import { type Driver, type DriverHost, type MappingRequest, mappingKey, type Stage } from './driver.ts';
import { isUsableExternal } from './external.ts';
import { type IgdService, WAN_CONNECTIONS } from './igd.ts';
import { IgdClient } from './igd-client.ts';
import { type SoapAnswer, UPNP_ERROR } from './soap.ts';
import { LIFETIME_S, LOWEST_OTHER_PORT, OTHER_PORTS, VAGUE_TRIES } from './tuning.ts';

const REFUSALS: Record<number, Refusal> = {
  [UPNP_ERROR.notAuthorized]: 'not-authorized',
  [UPNP_ERROR.conflictInMappingEntry]: 'no-resources',
  [UPNP_ERROR.noPortMapsAvailable]: 'no-resources',
  [UPNP_ERROR.conflictWithOtherMechanisms]: 'no-resources',
};

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
  readonly #igd: IgdClient;
  #service: IgdService | null = null;
  #externalIp: string | null = null;
  /** The service that answered stopped doing so: what it granted may be gone with it. */
  #lostTouch = false;
  /** 725 or 402 came once: this router only knows permanent leases. */
  #permanent = false;
  /** What `map` was asked and `unmap` has not taken back. */
  readonly #wanted = new Set<string>();
  #adding = 0;
  #deletes = 0;

  constructor(host: DriverHost) {
    this.#host = host;
    this.#igd = new IgdClient(host, {
      types: WAN_CONNECTIONS,
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

  /** The first WAN connection that is connected and has an address. */
  #tryService(services: readonly IgdService[], index: number): void {
    const service = services[index];
    if (service === undefined) return this.#host.unwilling(this.protocol, 'network-failure');
    const next = () => this.#tryService(services, index + 1);
    this.#igd.call(service, 'GetStatusInfo', [], (_now, status) => {
      // `Up` is what some routers say instead.
      if (status.kind !== 'ok' || !['Connected', 'Up'].includes(status.value('NewConnectionStatus'))) return next();
      this.#igd.call(service, 'GetExternalIPAddress', [], (now, answer) => {
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
    this.#igd.call(service, 'AddPortMapping', values, (later, answer) => {
      this.#adding -= 1;
      this.#added(later, attempt, answer);
    });
  }

  #added(now: number, attempt: Attempt, answer: SoapAnswer): void {
    const { request, externalPort, leaseS } = attempt;
    const wanted = this.#wanted.has(mappingKey(request));
    if (answer.kind === 'ok') {
      // Taken back while the router was thinking: what it made is deleted again.
      if (!wanted) return this.#delete({ ...request, externalPort });
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
      // Some routers say so of a port that is taken, others of anything.
      case UPNP_ERROR.actionFailed:
        return otherPorts <= OTHER_PORTS - VAGUE_TRIES
          ? null
          : { ...attempt, externalPort: this.#otherPort(), otherPorts: otherPorts - 1 };
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
    if (stage === 'granted') this.#delete(request);
    if (stage !== 'leftover' || this.#service === null) return;
    this.#igd.call(this.#service, 'GetSpecificPortMappingEntry', entryOf(request), (_later, answer) => {
      const ours =
        answer.kind === 'ok' &&
        answer.value('NewInternalClient') === this.#host.local &&
        answer.value('NewInternalPort') === String(request.internalPort);
      if (ours) this.#delete(request);
      else if (answer.kind === 'ok' || answer.kind === 'fault') this.#host.deleted(this.protocol, request);
    });
  }

  /** Before whatever waits: a mapping that is asked for next may want the port. */
  #delete(request: MappingRequest): void {
    if (this.#service === null) return;
    this.#deletes += 1;
    const answered = (_now: number, { kind }: SoapAnswer) => {
      this.#deletes -= 1;
      if (kind === 'ok' || kind === 'fault') this.#host.deleted(this.protocol, request);
    };
    this.#igd.call(this.#service, 'DeletePortMapping', entryOf(request), answered, true);
  }

  /** The entry is looked up, because UPnP has no epoch; then the address, which may have changed. */
  check(now: number, request: MappingRequest): void {
    const service = this.#service;
    if (service === null) return this.probe(now);
    this.#igd.call(service, 'GetSpecificPortMappingEntry', entryOf(request), (later, answer) => {
      if (answer.kind === 'failed' && service === this.#service) return this.#searchAgain(later);
      const gone = answer.kind === 'fault' && answer.code === UPNP_ERROR.noSuchEntry;
      const moved = answer.kind === 'ok' && answer.value('NewInternalClient') !== this.#host.local;
      if (gone || moved) this.#host.lost(later, this.protocol);
    });
    this.#igd.call(service, 'GetExternalIPAddress', [], (later, answer) => {
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
}

/** What names an entry in the router's table. */
function entryOf({ transport, externalPort }: Pick<MappingRequest, 'transport' | 'externalPort'>) {
  return [
    ['NewRemoteHost', ''],
    ['NewExternalPort', externalPort],
    ['NewProtocol', transport.toUpperCase()],
  ] as const;
}
