/** NAT-PMP towards one gateway: the external address is the probe, and asked again it tells the epoch. */
import { type MapperEvent, PORT_CONTROL_PORT, type Refusal } from './contract.ts';
import { type Driver, type DriverHost, isNoGrant, mappingKey, type MappingRequest } from './driver.ts';
import { natPmpEpoch } from './epoch.ts';
import { isUsableExternal } from './external.ts';
import {
  decodeNatPmp,
  encodeExternalAddressRequest,
  encodeMappingRequest,
  NAT_PMP_RESULT,
  type NatPmpResponse,
} from './nat-pmp.ts';
import { Retransmissions } from './retransmit.ts';
import { ATTEMPTS, DELETE_ATTEMPTS, LIFETIME_S } from './tuning.ts';

const REFUSALS: Record<number, Refusal> = {
  [NAT_PMP_RESULT.notAuthorized]: 'not-authorized',
  [NAT_PMP_RESULT.networkFailure]: 'network-failure',
  [NAT_PMP_RESULT.outOfResources]: 'no-resources',
};
const ADDRESS_KEY = 'address';
const mapKey = (request: MappingRequest) => `map ${mappingKey(request)}`;
const deleteKey = (request: MappingRequest) => `delete ${mappingKey(request)}`;

export class NatPmpDriver implements Driver {
  readonly protocol = 'nat-pmp';
  readonly #host: DriverHost;
  readonly #requests = new Retransmissions();
  readonly #wanted = new Map<string, MappingRequest>();
  readonly #deletes = new Map<string, MappingRequest>();
  readonly #epoch = natPmpEpoch();
  #externalIp: string | null = null;

  constructor(host: DriverHost) {
    this.#host = host;
  }

  probe(now: number): void {
    this.#requests.start(now, ADDRESS_KEY, encodeExternalAddressRequest(), ATTEMPTS);
  }

  map(now: number, request: MappingRequest): void {
    const { transport, internalPort, externalPort } = request;
    this.#requests.finish(deleteKey(request));
    this.#deletes.delete(deleteKey(request));
    this.#wanted.set(mapKey(request), request);
    const bytes = encodeMappingRequest({ transport, internalPort, externalPort, lifetimeS: LIFETIME_S });
    this.#requests.start(now, mapKey(request), bytes, ATTEMPTS);
  }

  unmap(now: number, request: MappingRequest): void {
    const { transport, internalPort } = request;
    this.#requests.finish(mapKey(request));
    this.#wanted.delete(mapKey(request));
    this.#deletes.set(deleteKey(request), request);
    const bytes = encodeMappingRequest({ transport, internalPort, externalPort: 0, lifetimeS: 0 });
    this.#requests.start(now, deleteKey(request), bytes, DELETE_ATTEMPTS);
  }

  check(now: number): void {
    if (!this.#requests.has(ADDRESS_KEY)) this.probe(now);
  }

  deleting(): boolean {
    return this.#deletes.size > 0;
  }

  handle(now: number, event: MapperEvent): void {
    if (event.type !== 'port-control') return;
    const decoded = decodeNatPmp(event.bytes);
    if (decoded.kind === 'not-ours') return;
    const { from } = event;
    const ours = from.ip === this.#host.gateway && from.port === PORT_CONTROL_PORT;
    if (decoded.kind === 'malformed' || !ours) return this.#host.drop();
    this.#answered(now, decoded.response);
  }

  #answered(now: number, response: NatPmpResponse): void {
    // Version 1 answers a PCP probe at a gateway that speaks NAT-PMP alone: it says nothing of our own request.
    if (response.op === 'refused' && response.result === NAT_PMP_RESULT.unsupportedVersion) return;
    const key = this.#keyOf(response);
    if (key === null || !this.#requests.finish(key)) return this.#host.drop();
    const lost = this.#epoch.lost(now, response.epoch);
    const deleted = this.#deletes.get(key);
    if (key === ADDRESS_KEY) this.#address(now, response);
    else if (deleted === undefined) this.#mapped(now, key, response);
    else {
      this.#deletes.delete(key);
      this.#host.deleted(this.protocol, deleted);
    }
    if (lost) this.#host.lost(now, this.protocol);
  }

  /** The outstanding request that a response answers. A mapping of lifetime 0 answers a delete and nothing else. */
  #keyOf(response: NatPmpResponse): string | null {
    if (response.op === 'external-address') return ADDRESS_KEY;
    if (response.transport === null) return ADDRESS_KEY;
    const { transport, internalPort } = response;
    const named = `${transport} ${internalPort}`;
    if (response.op === 'map') return response.lifetimeS === 0 ? `delete ${named}` : `map ${named}`;
    if (internalPort !== null) return this.#requests.has(`map ${named}`) ? `map ${named}` : `delete ${named}`;
    // A short refusal names no port: it is about the only mapping of its transport, or about none.
    const keys = [...this.#wanted.keys()].filter(
      (key) => key.startsWith(`map ${transport} `) && this.#requests.has(key),
    );
    return keys.length === 1 ? (keys[0] ?? null) : null;
  }

  #address(now: number, response: NatPmpResponse): void {
    if (response.op !== 'external-address') {
      const why = response.op === 'refused' ? REFUSALS[response.result] : undefined;
      return this.#host.unwilling(this.protocol, why ?? 'unsupported');
    }
    if (!isUsableExternal(response.ip)) {
      const down = response.ip === '0.0.0.0';
      return this.#host.unwilling(this.protocol, down ? 'network-failure' : 'hostile');
    }
    const moved = this.#externalIp !== null && this.#externalIp !== response.ip;
    this.#externalIp = response.ip;
    this.#host.present(now, this.protocol);
    if (moved) this.#host.lost(now, this.protocol);
  }

  #mapped(now: number, key: string, response: NatPmpResponse): void {
    const request = this.#wanted.get(key);
    this.#wanted.delete(key);
    if (request === undefined) return;
    if (response.op !== 'map') {
      const why = response.op === 'refused' ? REFUSALS[response.result] : undefined;
      return this.#host.refused(now, this.protocol, request, why ?? 'unsupported');
    }
    const { externalPort, lifetimeS } = response;
    if (isNoGrant(externalPort, lifetimeS) || this.#externalIp === null) {
      return this.#host.refused(now, this.protocol, request, 'hostile');
    }
    this.#host.granted(now, this.protocol, request, { externalIp: this.#externalIp, externalPort, lifetimeS });
  }

  tick(now: number): void {
    const { send, expired } = this.#requests.due(now);
    for (const bytes of send) this.#host.act({ type: 'port-control', bytes });
    for (const key of expired) {
      this.#deletes.delete(key);
      const request = this.#wanted.get(key);
      this.#wanted.delete(key);
      if (request) this.#host.refused(now, this.protocol, request, 'no-answer');
    }
  }

  nextAt(): number {
    return this.#requests.nextAt();
  }
}
