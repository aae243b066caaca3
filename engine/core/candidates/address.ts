/** What an IP address says by itself: its family, its scope, and one spelling for comparison. Pure text work. */
import ipaddr from 'ipaddr.js';

export type AddressScope =
  /** 127.0.0.0/8, ::1. */
  | 'loopback'
  /** 169.254.0.0/16, fe80::/10. */
  | 'link-local'
  /** RFC 1918 and RFC 4193 addresses. */
  | 'private'
  /** 100.64.0.0/10 (RFC 6598). */
  | 'carrier-nat'
  /** Everything that can be reached from the Internet, documentation ranges included: labs play the Internet with them. */
  | 'global'
  /** Multicast, broadcast, unspecified: nothing that a datagram may be sent to. */
  | 'unusable';

export interface Address {
  /** RFC 5952 text; an IPv4-mapped IPv6 address becomes IPv4. */
  ip: string;
  family: 4 | 6;
  scope: AddressScope;
}

/** Scopes of ipaddr.js that differ from `global`; its other names (documentation, 6to4, ...) are global here. */
const SCOPES: Record<string, AddressScope> = {
  loopback: 'loopback',
  linkLocal: 'link-local',
  private: 'private',
  uniqueLocal: 'private',
  carrierGradeNat: 'carrier-nat',
  multicast: 'unusable',
  broadcast: 'unusable',
  unspecified: 'unusable',
};

/**
 * Texts that were looked at, and what they are: every packet's addresses are, and there are few. Peers name as many as they
 * like, so that a full one is emptied.
 */
const KNOWN = new Map<string, Readonly<Address> | null>();
const MAX_KNOWN = 4_096;
/** An IPv6 address with an IPv4 address at its end; longer ones are none. */
const MAX_TEXT = 45;

/** Null for anything that is not one plain address: names, ranges, scoped link-local addresses, short IPv4 forms. */
export function parseAddress(text: string): Readonly<Address> | null {
  let address = KNOWN.get(text);
  if (address === undefined) {
    address = parse(text);
    if (KNOWN.size >= MAX_KNOWN) KNOWN.clear();
    if (text.length <= MAX_TEXT) KNOWN.set(text, address);
  }
  return address;
}

function parse(text: string): Address | null {
  if (text.includes('%')) return null;
  const isV4 = ipaddr.IPv4.isValidFourPartDecimal(text);
  if (!isV4 && !ipaddr.IPv6.isValid(text)) return null;
  const parsed = ipaddr.process(text);
  const ip = parsed instanceof ipaddr.IPv6 ? parsed.toRFC5952String() : parsed.toString();
  // 0.0.0.0/8 reaches the host itself on Linux (RFC 1122, 3.2.1.3 forbids it as a destination).
  const scope = ip.startsWith('0.') ? 'unusable' : (SCOPES[parsed.range()] ?? 'global');
  return { ip, family: parsed.kind() === 'ipv4' ? 4 : 6, scope };
}

/** One spelling of an address; text that is no address stays as it is. */
export function canonicalIp(text: string): string {
  return parseAddress(text)?.ip ?? text;
}
