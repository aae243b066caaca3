/** Addresses as bytes, the table of AllowedIPs, and the inner IP packets that scenarios send. */
import ipaddr from 'ipaddr.js';

/** The few addresses of the worlds that a process plays. */
const PARSED = new Map<string, Uint8Array>();
const MAX_PARSED = 10_000;

/** Not to be changed. */
export function parseAddress(ip: string): Uint8Array {
  let bytes = PARSED.get(ip);
  if (bytes === undefined) {
    if (PARSED.size >= MAX_PARSED) PARSED.clear();
    PARSED.set(ip, (bytes = Uint8Array.from(ipaddr.parse(ip).toByteArray())));
  }
  return bytes;
}

export function formatAddress(bytes: Uint8Array): string {
  return bytes.length === 4 ? bytes.join('.') : ipaddr.fromByteArray([...bytes]).toString();
}

/** Longest prefix match; a prefix belongs to one peer at a time, as in `wg`. */
export class AllowedIps {
  readonly #prefixes = new Map<string, { network: Uint8Array; bits: number; peer: number }>();

  assign(peer: number, cidrs: string[]): void {
    this.remove(peer);
    for (const cidr of cidrs) {
      const [address, bits] = ipaddr.parseCIDR(cidr);
      const network = masked(Uint8Array.from(address.toByteArray()), bits);
      this.#prefixes.set(`${network.join('.')}/${bits}`, { network, bits, peer });
    }
  }

  remove(peer: number): void {
    for (const [key, prefix] of this.#prefixes) if (prefix.peer === peer) this.#prefixes.delete(key);
  }

  lookup(address: Uint8Array): number | null {
    let best: { bits: number; peer: number } | null = null;
    for (const prefix of this.#prefixes.values()) {
      if (prefix.network.length !== address.length || prefix.bits <= (best?.bits ?? -1)) continue;
      if (lies(address, prefix.network, prefix.bits)) best = prefix;
    }
    return best?.peer ?? null;
  }
}

function lies(address: Uint8Array, network: Uint8Array, bits: number): boolean {
  for (let i = 0, left = bits; left > 0; i++, left -= 8) {
    const differing = ((address[i] ?? 0) ^ (network[i] ?? 0)) & 0xff;
    if (differing >> Math.max(0, 8 - left) !== 0) return false;
  }
  return true;
}

function masked(address: Uint8Array, bits: number): Uint8Array {
  return address.map((byte, i) => byte & (0xff00 >> Math.max(0, Math.min(8, bits - 8 * i))));
}

/** An IPv4 or IPv6 UDP-less packet (protocol 253, RFC 3692) around `payload`. */
export function innerPacket(from: string, to: string, payload: Uint8Array): Uint8Array {
  const src = parseAddress(from);
  const dst = parseAddress(to);
  const header = src.length === 4 ? 20 : 40;
  const packet = new Uint8Array(header + payload.length);
  const view = new DataView(packet.buffer);
  if (src.length === 4) {
    packet[0] = 0x45;
    view.setUint16(2, packet.length);
    packet[8] = 64;
    packet[9] = 253;
    packet.set(src, 12);
    packet.set(dst, 16);
    view.setUint16(10, headerChecksum(packet.subarray(0, 20)));
  } else {
    packet[0] = 0x60;
    view.setUint16(4, payload.length);
    packet[6] = 253;
    packet[7] = 64;
    packet.set(src, 8);
    packet.set(dst, 24);
  }
  packet.set(payload, header);
  return packet;
}

/** A packet with this one's fixed header, changed, around `payload`; length and checksum follow. */
export function innerPacketWith(
  header: Uint8Array,
  payload: Uint8Array,
  change: (header: DataView) => void,
): Uint8Array {
  const packet = new Uint8Array(header.length + payload.length);
  const view = new DataView(packet.buffer);
  packet.set(header);
  packet.set(payload, header.length);
  change(view);
  if ((packet[0] ?? 0) >> 4 === 4) {
    view.setUint16(2, packet.length);
    view.setUint16(10, 0);
    view.setUint16(10, headerChecksum(packet.subarray(0, 20)));
  } else {
    view.setUint16(4, payload.length);
  }
  return packet;
}

export interface InnerPacket {
  source: Uint8Array;
  destination: Uint8Array;
  payload: Uint8Array;
}

/** Null for what is neither IPv4 nor IPv6, or shorter than it says. */
export function parseInner(packet: Uint8Array): InnerPacket | null {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const version = (packet[0] ?? 0) >> 4;
  if (version === 4 && packet.length >= 20 && view.getUint16(2) <= packet.length) {
    const header = ((packet[0] ?? 0) & 15) * 4;
    const payload = packet.subarray(header, view.getUint16(2));
    return { source: packet.subarray(12, 16), destination: packet.subarray(16, 20), payload };
  }
  if (version === 6 && packet.length >= 40 && 40 + view.getUint16(4) <= packet.length) {
    const payload = packet.subarray(40, 40 + view.getUint16(4));
    return { source: packet.subarray(8, 24), destination: packet.subarray(24, 40), payload };
  }
  return null;
}

/** RFC 1071. */
function headerChecksum(header: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < header.length; i += 2) sum += ((header[i] ?? 0) << 8) | (header[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
