/** Which STUN servers are asked, and for what. */
import { canonicalIp, parseAddress } from '../candidates/address.ts';
import { isBeyond } from './classify.ts';
import type { Endpoint, StunServer } from './contract.ts';
import { type Evidence, sameEndpoint } from './evidence.ts';
import { MAX_SERVERS } from './tuning.ts';

/**
 * Those of the family, each once, at most four; copies, because servers may name more of themselves. What a server says
 * of itself may be anything: an endpoint that is no address of the family is left out.
 */
export function usableServers(servers: readonly StunServer[], family: 4 | 6): StunServer[] {
  const usable: StunServer[] = [];
  for (const server of servers) {
    const primary = usableEndpoint(server.primary, family);
    if (primary === null || usable.some((other) => sameEndpoint(other.primary, primary))) continue;
    const secondPort = usableEndpoint(server.secondPort, family);
    const alternate = usableEndpoint(server.alternate, family);
    usable.push({ primary, secondPort, alternate });
  }
  return usable.slice(0, MAX_SERVERS);
}

function usableEndpoint(endpoint: Endpoint | null, family: 4 | 6): Endpoint | null {
  const address = endpoint && parseAddress(endpoint.ip);
  if (!address || address.family !== family || address.scope === 'unusable') return null;
  return { ip: address.ip, port: endpoint.port };
}

/**
 * Completes a server that was announced without further endpoints (`--stun`) from its OTHER-ADDRESS (RFC 5780, 7.4), which
 * has the other address and the other port. False where there is nothing to learn.
 */
export function learnOther(server: StunServer, other: Endpoint): boolean {
  if (server.secondPort !== null || server.alternate !== null) return false;
  const primary = parseAddress(server.primary.ip);
  const address = parseAddress(other.ip);
  if (primary === null || address === null || other.port === 0) return false;
  if (address.family !== primary.family || address.scope === 'unusable') return false;
  if (other.port !== server.primary.port) server.secondPort = { ip: primary.ip, port: other.port };
  if (address.ip !== primary.ip) server.alternate = { ip: address.ip, port: server.primary.port };
  return true;
}

/**
 * Index of the server for the filtering test: one beyond the NAT that answers and has two addresses, or, when none such can still
 * answer, one with a second port. -1: none, or wait.
 */
export function filterServer(servers: readonly StunServer[], evidence: Evidence): number {
  const answers = (i: number) => isBeyond(evidence.servers[i], evidence);
  const complete = servers.findIndex((server, i) => server.alternate !== null && answers(i));
  const awaited = servers.some((server, i) => server.alternate !== null && evidence.servers[i]?.primary === 'pending');
  if (complete >= 0 || awaited) return complete;
  return servers.findIndex((server, i) => server.secondPort !== null && answers(i));
}

/** The same endpoint, whatever the spelling of its address. */
export function comesFrom(from: Endpoint, server: Endpoint): boolean {
  return from.port === server.port && canonicalIp(from.ip) === canonicalIp(server.ip);
}
