/** PCP towards one gateway: ANNOUNCE is the probe and tells the epoch, MAP makes, renews and deletes. */
import { hexToBytes } from '../crypto/bytes.ts';
import { type MapperEvent, PORT_CONTROL_PORT, type Refusal } from './contract.ts';
import { type Driver, type DriverHost, isNoGrant, type MappingRequest, mappingKey } from './driver.ts';
import { pcpEpoch } from './epoch.ts';
import { isUsableFor } from './external.ts';
import { decodePcp, encodeAnnounceRequest, encodeMapRequest, PCP_RESULT, type PcpResponse } from './pcp.ts';
import { Retransmissions } from './retransmit.ts';
import { ATTEMPTS, DELETE_ATTEMPTS, LIFETIME_S, PARTING_LIFETIME_S } from './tuning.ts';

const REFUSALS: Record<number, Refusal> = {
  [PCP_RESULT.notAuthorized]: 'not-authorized',
  [PCP_RESULT.networkFailure]: 'network-failure',
  [PCP_RESULT.noResources]: 'no-resources',
  [PCP_RESULT.userExceededQuota]: 'no-resources',
  [PCP_RESULT.cannotProvideExternal]: 'no-resources',
};
const ANNOUNCE_KEY = 'announce';
const mapKey = (request: MappingRequest) => `map ${mappingKey(request)}`;
const deleteKey = (request: MappingRequest) => `delete ${mappingKey(request)}`;
type MapResponse = Extract<PcpResponse, { op: 'map' }>;

export class PcpDriver implements Driver {
  readonly protocol = 'pcp';
  readonly #host: DriverHost;
  readonly #requests = new Retransmissions();
  /** Unanswered MAP requests, deletes too. */
  readonly #asked = new Map<string, MappingRequest>();
  /** Keys of deletes that were refused, and now ask for an early end instead. */
  readonly #parting = new Set<string>();
  readonly #epoch = pcpEpoch();

  constructor(host: DriverHost) {
    this.#host = host;
  }

  probe(now: number): void {
    this.#requests.start(now, ANNOUNCE_KEY, encodeAnnounceRequest(this.#host.local), ATTEMPTS);
  }

  map(now: number, request: MappingRequest): void {
    this.#forget(deleteKey(request));
    this.#asked.set(mapKey(request), request);
    this.#requests.start(now, mapKey(request), this.#encode(request, request.externalPort, LIFETIME_S), ATTEMPTS);
  }

  /** RFC 6887, 15.1: the same nonce, and no suggestions. */
  unmap(now: number, request: MappingRequest): void {
    this.#forget(mapKey(request));
    this.#asked.set(deleteKey(request), request);
    this.#requests.start(now, deleteKey(request), this.#encode(request, 0, 0), DELETE_ATTEMPTS);
  }

  #encode(request: MappingRequest, externalPort: number, lifetimeS: number): Uint8Array {
    const { transport, internalPort } = request;
    const nonce = hexToBytes(request.nonce);
    return encodeMapRequest({ client: this.#host.local, nonce, transport, internalPort, externalPort, lifetimeS });
  }

  /** miniupnpd 2.3.1 on nftables takes no pinhole away, and answers that its own nonce is wrong; but it renews it. */
  #part(now: number, request: MappingRequest): void {
    const key = deleteKey(request);
    this.#asked.set(key, request);
    this.#parting.add(key);
    const bytes = this.#encode(request, request.externalPort, PARTING_LIFETIME_S);
    this.#requests.start(now, key, bytes, DELETE_ATTEMPTS);
  }

  #forget(key: string): void {
    this.#requests.finish(key);
    this.#asked.delete(key);
    this.#parting.delete(key);
  }

  check(now: number): void {
    if (!this.#requests.has(ANNOUNCE_KEY)) this.probe(now);
  }

  deleting(): boolean {
    return [...this.#asked.keys()].some((key) => key.startsWith('delete '));
  }

  handle(now: number, event: MapperEvent): void {
    if (event.type !== 'port-control') return;
    const decoded = decodePcp(event.bytes);
    if (decoded.kind === 'not-ours') return;
    const { from } = event;
    const ours = from.ip === this.#host.gateway && from.port === PORT_CONTROL_PORT;
    if (decoded.kind === 'malformed' || !ours) return this.#host.drop();
    const { response } = decoded;
    if (response.op === 'announce') this.#announced(now, response);
    else this.#answered(now, response);
  }

  #announced(now: number, { result, epoch }: PcpResponse): void {
    // That version is what a gateway without NAT-PMP answers to our NAT-PMP probe: it says nothing of PCP.
    if (result === PCP_RESULT.unsupportedVersion) return;
    if (!this.#requests.finish(ANNOUNCE_KEY)) return this.#host.drop();
    const lost = this.#epoch.lost(now, epoch);
    // A server that knows no ANNOUNCE is a PCP server all the same.
    if (result === PCP_RESULT.success || result === PCP_RESULT.unsupportedOpcode)
      this.#host.present(now, this.protocol);
    else this.#host.unwilling(this.protocol, REFUSALS[result] ?? 'unsupported');
    if (lost) this.#host.lost(now, this.protocol);
  }

  #answered(now: number, response: MapResponse): void {
    const named = mappingKey(response);
    // Success with lifetime 0 answers a delete; an error, or the answer to a parting, is about whatever is asked.
    const ends = response.result === PCP_RESULT.success && response.lifetimeS === 0;
    const isDelete = ends || !this.#asked.has(`map ${named}`);
    const key = `${isDelete ? 'delete' : 'map'} ${named}`;
    const request = this.#asked.get(key);
    const parting = this.#parting.has(key);
    const fits = !isDelete || ends || parting || response.result !== PCP_RESULT.success;
    if (request === undefined || request.nonce !== response.nonce || !fits) return this.#host.drop();
    this.#forget(key);
    const lost = this.#epoch.lost(now, response.epoch);
    if (!isDelete) this.#mapped(now, request, response);
    else if (response.result === PCP_RESULT.notAuthorized && !parting) this.#part(now, request);
    else this.#host.deleted(this.protocol, request);
    if (lost) this.#host.lost(now, this.protocol);
  }

  #mapped(now: number, request: MappingRequest, response: MapResponse): void {
    const { result, externalIp, externalPort, lifetimeS } = response;
    if (result !== PCP_RESULT.success) {
      return this.#host.refused(now, this.protocol, request, REFUSALS[result] ?? 'unsupported');
    }
    if (isNoGrant(externalPort, lifetimeS) || !isUsableFor(this.#host.local, externalIp)) {
      return this.#host.refused(now, this.protocol, request, 'hostile');
    }
    this.#host.granted(now, this.protocol, request, { externalIp, externalPort, lifetimeS });
  }

  tick(now: number): void {
    const { send, expired } = this.#requests.due(now);
    for (const bytes of send) this.#host.act({ type: 'port-control', bytes });
    for (const key of expired) {
      const request = this.#asked.get(key);
      this.#forget(key);
      if (request && key.startsWith('map ')) this.#host.refused(now, this.protocol, request, 'no-answer');
    }
  }

  nextAt(): number {
    return this.#requests.nextAt();
  }
}
