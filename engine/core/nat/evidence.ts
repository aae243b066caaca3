/** What the tests of one round have shown so far. Absent, silent and answered are three different things. */
import type { Endpoint } from './contract.ts';
import type { PortSample } from './ports.ts';

/** `untested`: the server has no such endpoint. `silent`: asked until it made no sense. */
export type Observation = Endpoint | 'untested' | 'pending' | 'silent';

/** One server's answers to the main socket. */
export interface MappingEvidence {
  /** (ip1, port1), (ip1, port2), (ip2, port1) of RFC 5780, 4.3. */
  primary: Observation;
  /** The primary once more. */
  again: Observation;
  secondPort: Observation;
  alternate: Observation;
  /** The primary's answer to a later recheck, where it is another: newer, and not to be compared with the others. */
  moved: Endpoint | null;
  /** It said two different things of one mapping: it is not believed, and passes for silent. */
  unsteady: boolean;
}

/** `refused`: the server cannot do this test (420, or it ignored the request). */
export type FilterObservation = 'untested' | 'pending' | 'answered' | 'silent' | 'refused';

/** Answers to the second socket, which has sent to (ip1, port1) only (RFC 5780, 4.4). */
export interface FilterEvidence {
  /** The second socket's own mapping, which shows that silence below is a filter's. */
  plain: Observation;
  changePort: FilterObservation;
  changeBoth: FilterObservation;
}

export interface Evidence {
  servers: MappingEvidence[];
  filter: FilterEvidence;
  hairpin: boolean | null;
  /** Mappings made back to back, in order; empty where the NAT needed no such test. */
  fresh: readonly PortSample[];
  localAddresses: readonly string[];
  mainPort: number;
  secondPort: number | null;
  /** Nothing answered in time while TCP works. */
  blocked: boolean;
}

export function isSeen(observation: Observation): observation is Endpoint {
  return typeof observation === 'object';
}

export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.ip === b.ip && a.port === b.port;
}

export function seenBy(server: MappingEvidence): Endpoint[] {
  return [server.primary, server.secondPort, server.alternate].filter(isSeen);
}

/** Of a round that has just begun with this many servers. */
export function noEvidence(servers: number, localAddresses: readonly string[], mainPort: number): Evidence {
  const untested = (): MappingEvidence => ({
    primary: 'untested',
    again: 'untested',
    secondPort: 'untested',
    alternate: 'untested',
    moved: null,
    unsteady: false,
  });
  return {
    servers: Array.from({ length: servers }, untested),
    filter: { plain: 'untested', changePort: 'untested', changeBoth: 'untested' },
    hairpin: null,
    fresh: [],
    localAddresses,
    mainPort,
    secondPort: null,
    blocked: false,
  };
}

/** Notes what a request with this CHANGE-REQUEST came to. */
export function setFilter(
  filter: FilterEvidence,
  change: 'none' | 'port' | 'both',
  observation: FilterObservation,
): void {
  if (change === 'port') filter.changePort = observation;
  else if (change === 'both') filter.changeBoth = observation;
  else if (observation === 'silent' || observation === 'refused') filter.plain = 'silent';
}

/** Only such an answer shows an open filter; one from `to` itself means that the server ignored the request. */
export function cameFromChanged(change: 'port' | 'both', from: Endpoint, to: Endpoint): boolean {
  return change === 'port' ? from.ip === to.ip && from.port !== to.port : from.ip !== to.ip;
}
