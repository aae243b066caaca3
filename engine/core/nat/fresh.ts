/**
 * Fresh mappings for the port model: new sockets, one request each to one server, back to back, so that their order shows
 * a counter and nothing else has time to take ports in between. Only where the mapping depends on the destination:
 * elsewhere the peer needs no model, it has the endpoint.
 */
import type { MappingBehaviour } from '../../../protocol/nat.ts';
import type { PortSample } from './ports.ts';
import { FRESH_MAPPINGS } from './tuning.ts';

interface Fresh {
  local: number;
  socket: number;
  external: number | null;
  open: boolean;
}

export class FreshMappings {
  /** Requests that still wait for their socket. */
  readonly #requests = new Set<number>();
  readonly #mappings: Fresh[] = [];
  #begun = false;

  /** Once a round, as soon as the mapping is known to be hard: numbers of the sockets to ask for. */
  begin(mapping: MappingBehaviour, nextRequest: () => number): number[] {
    if (this.#begun || !dependsOnDestination(mapping)) return [];
    this.#begun = true;
    const requests = Array.from({ length: FRESH_MAPPINGS }, nextRequest);
    for (const request of requests) this.#requests.add(request);
    return requests;
  }

  /** The index of the new mapping, or null where this test did not ask for the socket. */
  opened(request: number, socket: number, port: number): number | null {
    if (!this.#requests.delete(request)) return null;
    return this.#mappings.push({ local: port, socket, external: null, open: true }) - 1;
  }

  answered(index: number, external: number): void {
    const mapping = this.#mappings[index];
    if (mapping !== undefined) mapping.external = external;
  }

  /** The socket of a mapping that is measured or given up; null when it is closed already. */
  close(index: number): number | null {
    const mapping = this.#mappings[index];
    if (mapping === undefined || !mapping.open) return null;
    mapping.open = false;
    return mapping.socket;
  }

  /** Every socket still open. */
  closeAll(): number[] {
    this.#requests.clear();
    return this.#mappings.flatMap((_, index) => this.close(index) ?? []);
  }

  /** In the order in which they were made. */
  samples(): PortSample[] {
    return this.#mappings.flatMap(({ local, external }) => (external === null ? [] : [{ local, external }]));
  }
}

/** A mapping that changes with the destination: RFC 4787's two hard ones. */
export function dependsOnDestination(mapping: MappingBehaviour): boolean {
  return mapping === 'address-dependent' || mapping === 'address-and-port-dependent';
}
