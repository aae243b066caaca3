/** Questions about a room's view. */
import ipaddr from 'ipaddr.js';
import { WarrenError } from '../protocol/errors.ts';
import type { RoomMemberView, RoomView } from './core/room/contract.ts';

/** By key, virtual address or nickname; throws WarrenError('no-such-member'). */
export function findMember({ members }: RoomView, name: string): RoomMemberView {
  const found =
    members.find((m) => m.key === name || m.ipv4 === name || m.ipv6 === name) ??
    members.find((m) => m.nick === name) ??
    members.find((m) => m.nick.toLowerCase() === name.toLowerCase());
  if (!found) throw new WarrenError('no-such-member', `no member is called ${JSON.stringify(name)}`);
  return found;
}

/** The room's IPv4 prefix or its ULA /64. */
export function isInRoom(ip: string, { ipv4, prefixLength, ipv6 }: RoomView): boolean {
  const address = ipaddr.parse(ip);
  if (address instanceof ipaddr.IPv6) return address.match(ipaddr.IPv6.parse(ipv6), 64);
  return ipv4 !== null && address.match(ipaddr.IPv4.parse(ipv4), prefixLength);
}
