/** What the three protocols have in common for the mapper: each is asked the same things and answers in the same words. */
import type { MapperAction, MapperEvent, MappingProtocol, Refusal, Transport } from './contract.ts';

export interface MappingRequest {
  transport: Transport;
  internalPort: number;
  /** What is asked for, or what was granted. */
  externalPort: number;
  /** PCP's, hex; the others ignore it. */
  nonce: string;
  /** UPnP's name of a pinhole that was granted; the others have none. */
  pinhole: string | null;
}

export interface Grant {
  externalIp: string;
  externalPort: number;
  /** Seconds; null: until it is deleted. */
  lifetimeS: number | null;
  pinhole?: string | null;
}

/** How far a mapping that is to be deleted had come. `leftover`: made by an earlier run of this program. */
export type Stage = 'pending' | 'granted' | 'leftover';

/** The mapper as a driver sees it. */
export interface DriverHost {
  readonly gateway: string;
  readonly local: string;
  readonly random: (length: number) => Uint8Array;
  act(action: MapperAction): void;
  /** A message that was not what it should be. */
  drop(): void;
  /** The gateway speaks this protocol and has an external address. */
  present(now: number, protocol: MappingProtocol): void;
  /** It answered the probe with a refusal. */
  unwilling(protocol: MappingProtocol, why: Refusal): void;
  granted(now: number, protocol: MappingProtocol, request: MappingRequest, grant: Grant): void;
  refused(now: number, protocol: MappingProtocol, request: MappingRequest, why: Refusal): void;
  /** The gateway has answered a delete: there is nothing left to take back. */
  deleted(protocol: MappingProtocol, request: MappingRequest): void;
  /** The gateway no longer knows what it granted. */
  lost(now: number, protocol: MappingProtocol): void;
}

export interface Driver {
  readonly protocol: MappingProtocol;
  /** Asks whether it is spoken; opens nothing. */
  probe(now: number): void;
  /** Makes or renews. Ends in `granted` or `refused`, unless `unmap` of the same comes before. */
  map(now: number, request: MappingRequest): void;
  unmap(now: number, request: MappingRequest, stage: Stage): void;
  /** Whether the gateway still knows: ends in `lost` when it does not, and in `granted` where an address changed. */
  check(now: number, request: MappingRequest): void;
  handle(now: number, event: MapperEvent): void;
  tick(now: number): void;
  nextAt(): number;
  /** Whether a delete is unanswered. */
  deleting(): boolean;
}

export function mappingKey({ transport, internalPort }: { transport: Transport; internalPort: number }): string {
  return `${transport} ${internalPort}`;
}

/** True for a lifetime of 0 as well: a mapping that is none. */
export function isNoGrant(externalPort: number, lifetimeS: number): boolean {
  return externalPort === 0 || lifetimeS === 0;
}
