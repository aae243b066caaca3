/** What travels: one UDP datagram, or one ICMP error about one. */
import type { Endpoint } from '../../../engine/ports.ts';

export type { Endpoint };

export interface UdpPacket {
  kind: 'udp';
  src: Endpoint;
  dst: Endpoint;
  ttl: number;
  bytes: Uint8Array;
}

/** `about` is the header of the datagram that died, as the reporting node saw it. Ports of src and dst are 0. */
export interface IcmpPacket {
  kind: 'icmp';
  reason: 'time-exceeded' | 'port-unreachable';
  src: Endpoint;
  dst: Endpoint;
  ttl: number;
  about: { src: Endpoint; dst: Endpoint };
}

export type Packet = UdpPacket | IcmpPacket;

export const DEFAULT_TTL = 64;

export function endpointKey(endpoint: Endpoint): string {
  return `${endpoint.ip} ${endpoint.port}`;
}

export function familyOf(ip: string): 4 | 6 {
  return ip.includes(':') ? 6 : 4;
}

/** Bytes on the wire: IP and UDP header with the payload. */
export function wireSize(packet: Packet): number {
  const header = familyOf(packet.dst.ip) === 4 ? 28 : 48;
  return packet.kind === 'udp' ? header + packet.bytes.length : header + 28;
}

export function icmpAbout(packet: UdpPacket, reason: IcmpPacket['reason'], from: string): IcmpPacket {
  return {
    kind: 'icmp',
    reason,
    src: { ip: from, port: 0 },
    dst: { ip: packet.src.ip, port: 0 },
    ttl: DEFAULT_TTL,
    about: { src: packet.src, dst: packet.dst },
  };
}
