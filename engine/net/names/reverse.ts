/** Reverse zones of a room's prefix, without the last dot: they end at whole bytes (RFC 1035, section 3.5). */
export function reverseZones(ipv4: string, prefixLength: number): string[] {
  const [a = 0, b = 0, c = 0] = ipv4.split('.').map(Number);
  const count = prefixLength >= 24 ? 1 : 2 ** (24 - Math.max(prefixLength, 16));
  const first = c - (c % count);
  return Array.from({ length: count }, (_, i) => `${first + i}.${b}.${a}.in-addr.arpa`);
}
