/** One round's evidence as a report and as candidates. */
import type { NatReport } from '../../../protocol/nat.ts';
import { UNKNOWN_NAT } from '../../../protocol/nat.ts';
import type { Candidate } from '../../../protocol/peer.ts';
import { cgnatOf, filteringOf, isInside, mappingOf, seenOutside, typeOf } from './classify.ts';
import { type Evidence, isSeen } from './evidence.ts';
import { inferPorts, type PortSample } from './ports.ts';
import { MAX_PUBLIC_ADDRESSES } from './tuning.ts';

/**
 * `before` fills what this round has not found out yet, so that measuring again does not make a known NAT unknown for two
 * seconds; pass null on a new network.
 */
export function reportOf(evidence: Evidence, family: 4 | 6, before: NatReport | null): NatReport {
  const mapping = known(mappingOf(evidence), before?.mapping);
  const filtering = known(filteringOf(evidence, mapping), before?.filtering);
  const ports = inferPorts(evidence.fresh, samplesOf(evidence));
  const addresses = seenOutside(evidence).map((endpoint) => endpoint.ip);
  const publicAddresses = [...new Set(addresses)].slice(0, MAX_PUBLIC_ADDRESSES);
  return {
    ...UNKNOWN_NAT,
    mapping,
    filtering,
    type: evidence.blocked ? 'udp-blocked' : typeOf(mapping, filtering),
    ports: ports.kind === 'unknown' && before !== null ? before.ports : ports,
    hairpin: evidence.hairpin ?? before?.hairpin ?? null,
    publicAddresses: addresses.length === 0 && before !== null ? before.publicAddresses : publicAddresses,
    cgnat: cgnatOf(evidence, mapping) ?? before?.cgnat ?? null,
    ipv6: family === 6 && addresses.length > 0,
  };
}

/**
 * The IPv4 report (IPv6 hosts have no mapping to speak of), with IPv6 reachability from both. Where IPv4 has shown anything at
 * all, what it left open stays open: that IPv6 has no NAT says nothing of it.
 */
export function joinFamilies(v4: NatReport | undefined, v6: NatReport | undefined): NatReport {
  const seen = (report: NatReport | undefined) => report?.mapping !== 'unknown' || report.publicAddresses.length > 0;
  const base = v4 && (seen(v4) || !v6 || !seen(v6)) ? v4 : (v6 ?? UNKNOWN_NAT);
  const publicAddresses = [...new Set([...(v4?.publicAddresses ?? []), ...(v6?.publicAddresses ?? [])])];
  return {
    ...base,
    ipv6: Boolean(v4?.ipv6) || Boolean(v6?.ipv6),
    publicAddresses: publicAddresses.slice(0, MAX_PUBLIC_ADDRESSES),
  };
}

/** What the main socket looks like from outside, once for each endpoint. */
export function reflexiveOf(evidence: Evidence): Candidate[] {
  const seen = evidence.servers.map(({ moved, primary }) => moved ?? primary).filter(isSeen);
  const texts = new Set<string>();
  return seen.flatMap((endpoint) => {
    const text = `${endpoint.ip} ${endpoint.port}`;
    if (texts.has(text)) return [];
    texts.add(text);
    return [{ kind: 'reflexive' as const, ip: endpoint.ip, port: endpoint.port }];
  });
}

/** The main socket's mappings in the order asked, then the second socket's. */
function samplesOf(evidence: Evidence): PortSample[] {
  const samples = seenOutside(evidence).map((seen) => ({ local: evidence.mainPort, external: seen.port }));
  const second = evidence.filter.plain;
  if (isSeen(second) && !isInside(second.ip, evidence) && evidence.secondPort !== null) {
    samples.push({ local: evidence.secondPort, external: second.port });
  }
  return samples;
}

function known<T extends string>(now: T | 'unknown', before: T | undefined): T | 'unknown' {
  return now === 'unknown' && before !== undefined ? before : now;
}
