/** IP addresses as bytes: the four of NAT-PMP, and the sixteen of PCP, where IPv4 is mapped into IPv6 (RFC 6887, 5). */
import ipaddr from 'ipaddr.js';
import { canonicalIp } from '../candidates/address.ts';

export const PCP_ADDRESS_BYTES = 16;
const IPV4_BYTES = 4;
/** ::ffff:0:0/96. */
const MAPPED_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff] as const;

export function decodeIpv4(bytes: Uint8Array, at: number): string {
  return Array.from({ length: IPV4_BYTES }, (_, index) => bytes[at + index] ?? 0).join('.');
}

/** `ip` is a checked address without zone. */
export function encodePcpAddress(ip: string): Uint8Array {
  const bytes = ipaddr.parse(ip).toByteArray();
  return Uint8Array.from(bytes.length === IPV4_BYTES ? [...MAPPED_PREFIX, ...bytes] : bytes);
}

/** A mapped address comes as IPv4. */
export function decodePcpAddress(bytes: Uint8Array, at: number): string {
  return canonicalIp(ipaddr.fromByteArray([...bytes.subarray(at, at + PCP_ADDRESS_BYTES)]).toString());
}

/** The all-zeros address of the family of `ip`: no preference (RFC 6887, 11.1). */
export function anyPcpAddress(ip: string): Uint8Array {
  return encodePcpAddress(ip.includes(':') ? '::' : '0.0.0.0');
}
