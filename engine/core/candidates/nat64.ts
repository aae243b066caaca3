/**
 * NAT64 as a host sees it: IPv4 addresses inside IPv6 ones (RFC 6052, 2.2), and the prefix of a network, which shows in what
 * its resolver makes of a name that has IPv4 addresses only (RFC 7050, 3). Never throws.
 */
import ipaddr from 'ipaddr.js';
import { parseAddress } from './address.ts';

/** The name that is asked for. */
export const IPV4_ONLY_NAME = 'ipv4only.arpa';
/** Its addresses (RFC 7050, 2.2), by which the place of the IPv4 address is found. */
const WELL_KNOWN = ['192.0.0.170', '192.0.0.171'] as const;

/** RFC 6052, 2.2, with the places of the four bytes: byte 8 stays free, whatever the length. */
const PLACES = {
  32: [4, 5, 6, 7],
  40: [5, 6, 7, 9],
  48: [6, 7, 9, 10],
  56: [7, 9, 10, 11],
  64: [9, 10, 11, 12],
  96: [12, 13, 14, 15],
} as const;
type PrefixLength = keyof typeof PLACES;
const LENGTHS = [96, 64, 56, 48, 40, 32] as const satisfies readonly PrefixLength[];

export interface Nat64Prefix {
  /** Sixteen bytes; zero after the prefix. */
  readonly bytes: Uint8Array;
  readonly length: PrefixLength;
}

/** The prefix that these AAAA records of `ipv4only.arpa` show; null: there is none, or it cannot be told. */
export function prefixOf(addresses: readonly string[]): Nat64Prefix | null {
  for (const text of addresses) {
    const address = parseAddress(text);
    if (address === null || address.family !== 6 || !['global', 'private'].includes(address.scope)) continue;
    const bytes = bytesOf(address.ip);
    const fitting = LENGTHS.filter((length) => WELL_KNOWN.some((ip) => ip === ipv4At(bytes, length)));
    // Where both could be meant, neither is believed.
    const [length] = fitting;
    if (length === undefined || fitting.length > 1) continue;
    const prefix = new Uint8Array(bytes.length);
    prefix.set(bytes.subarray(0, length / 8));
    // ::/96 once stood for IPv4 itself (RFC 4291, 2.5.5.1): no network is behind it.
    if (prefix.every((byte) => byte === 0)) continue;
    return { bytes: prefix, length };
  }
  return null;
}

/** The IPv6 address behind which this network has an IPv4 one. `ipv4` is a checked dotted quad. */
export function synthesise(prefix: Nat64Prefix, ipv4: string): string {
  const bytes = Uint8Array.from(prefix.bytes);
  const quad = ipaddr.parse(ipv4).toByteArray();
  for (const [index, place] of PLACES[prefix.length].entries()) bytes[place] = quad[index] ?? 0;
  return textOf(bytes);
}

/** The IPv4 address inside; null for an address that is not of this prefix. `ipv6` is a checked address. */
export function extract(prefix: Nat64Prefix, ipv6: string): string | null {
  const bytes = bytesOf(ipv6);
  const inside = prefix.bytes.subarray(0, prefix.length / 8).every((byte, index) => bytes[index] === byte);
  return inside ? ipv4At(bytes, prefix.length) : null;
}

export function prefixText({ bytes, length }: Nat64Prefix): string {
  return `${textOf(bytes)}/${length}`;
}

function ipv4At(bytes: Uint8Array, length: PrefixLength): string {
  return PLACES[length].map((place) => bytes[place] ?? 0).join('.');
}

function bytesOf(ipv6: string): Uint8Array {
  return Uint8Array.from(ipaddr.IPv6.parse(ipv6).toByteArray());
}

function textOf(bytes: Uint8Array): string {
  return new ipaddr.IPv6([...bytes]).toRFC5952String();
}
