/** IPv4 addresses as bytes. */

export function decodeIpv4(bytes: Uint8Array, at: number): string {
  return [0, 1, 2, 3].map((index) => bytes[at + index] ?? 0).join('.');
}

/** `ip` is a checked dotted quad. */
export function encodeIpv4(ip: string): number[] {
  return ip.split('.').map(Number);
}
