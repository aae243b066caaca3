/**
 * Virtual addresses: a /20 in 10.64.0.0/10 for the room, a host number for each member, and an IPv6 address in the
 * room's unique local /64 (RFC 4193) that follows from the member's key alone.
 */
import { labelledHash } from '../crypto/derive.ts';

export const PREFIX_LENGTH = 20;
export const HOSTS = 4_094;
/** Choices of prefix, `index` 0 to 63. */
export const PREFIX_CHOICES = 64;
/** `attempt` of a host number that the user asked for. */
export const ASKED = 65_535;

const POOL = 0x0a_40_00_00;
const POOL_BITS = PREFIX_LENGTH - 10;

/** Network address of the room's /20 as an unsigned 32-bit number. */
export function prefixOf(topic: Uint8Array, index: number): number {
  const [high = 0, low = 0] = labelledHash('prefix', 2, topic, Uint8Array.of(index));
  const choice = ((high << 8) | low) & ((1 << POOL_BITS) - 1);
  return POOL + choice * 2 ** (32 - PREFIX_LENGTH);
}

/** H(topic, key, k) mod 4094 + 1. */
export function hostOf(topic: Uint8Array, key: Uint8Array, attempt: number): number {
  const hash = labelledHash('host', 4, topic, key, Uint8Array.of(attempt >> 8, attempt & 255));
  return (new DataView(hash.buffer, hash.byteOffset).getUint32(0) % HOSTS) + 1;
}

/** Who wins between equals: the lower goes first. */
export function claimOrder(topic: Uint8Array, key: Uint8Array): Uint8Array {
  return labelledHash('claim', 16, topic, key);
}

export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}

/** Null for anything but dotted decimal. */
export function parseIpv4(text: string): number | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return null;
  const octets = match.slice(1).map(Number);
  return octets.some((octet) => octet > 255) ? null : octets.reduce((value, octet) => value * 256 + octet, 0);
}

/** The member's address in the ULA /64 of the room: `fd`, 56 bits of the topic, 64 bits of the key. */
export function ipv6Of(topic: Uint8Array, key: Uint8Array): string {
  const bytes = Uint8Array.of(0xfd, ...labelledHash('ula', 7, topic), ...labelledHash('interface', 8, topic, key));
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16),
  );
  return groups.join(':');
}

/** The first index whose /20 touches none of these IPv4 networks (CIDR), else 0. */
export function clearIndex(topic: Uint8Array, networks: string[]): number {
  for (let index = 0; index < PREFIX_CHOICES; index++) if (isClear(topic, index, networks)) return index;
  return 0;
}

export function isClear(topic: Uint8Array, index: number, networks: string[]): boolean {
  const base = prefixOf(topic, index);
  return networks.every((network) => !overlaps(base, network));
}

function overlaps(base: number, cidr: string): boolean {
  const [ip = '', length = '32'] = cidr.split('/');
  const address = parseIpv4(ip);
  const bits = Math.min(Number(length), PREFIX_LENGTH);
  if (address === null || !Number.isInteger(bits) || bits < 0) return false;
  const size = 2 ** (32 - bits);
  return Math.floor(address / size) === Math.floor(base / size);
}
