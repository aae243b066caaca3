/** The address form that MAPPED-ADDRESS, RESPONSE-ORIGIN and OTHER-ADDRESS share (RFC 8489, section 14.1). */
import ipaddr from 'ipaddr.js';

/** An IP endpoint; IPv6 without brackets, in the form of RFC 5952. */
export interface Endpoint {
  ip: string;
  port: number;
}

const FAMILY_IPV4 = 0x01;
const FAMILY_IPV6 = 0x02;
const ADDRESS_OFFSET = 4;

/** `0 | family | port(2) | address(4 or 16)`. Throws on text that is no address: a mistake of the caller. */
export function encodeAddress({ ip, port }: Endpoint): Uint8Array {
  const address = ipaddr.parse(withoutZone(ip)).toByteArray();
  const value = new Uint8Array(ADDRESS_OFFSET + address.length);
  value[1] = address.length === 4 ? FAMILY_IPV4 : FAMILY_IPV6;
  value[2] = port >> 8;
  value[3] = port & 0xff;
  value.set(address, ADDRESS_OFFSET);
  return value;
}

/** Null unless family and length agree. */
export function decodeAddress(value: Uint8Array): Endpoint | null {
  const family = value[1];
  const bytes = family === FAMILY_IPV4 ? 4 : family === FAMILY_IPV6 ? 16 : 0;
  if (bytes === 0 || value.length !== ADDRESS_OFFSET + bytes) return null;
  const address = Array.from(value.subarray(ADDRESS_OFFSET));
  return { ip: ipaddr.fromByteArray(address).toString(), port: ((value[2] ?? 0) << 8) | (value[3] ?? 0) };
}

/** `fe80::1%eth0` names the interface of one host; on the wire it means nothing. */
function withoutZone(ip: string): string {
  const zone = ip.indexOf('%');
  return zone === -1 ? ip : ip.slice(0, zone);
}
