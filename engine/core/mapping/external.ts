/** What an external address that a gateway names is worth. */
import { parseAddress } from '../candidates/address.ts';

/** An IPv4 address that a peer could send to; loopback, link-local, multicast and 0.0.0.0 are a broken or lying gateway's. */
export function isUsableExternal(ip: string): boolean {
  const address = parseAddress(ip);
  return address !== null && address.family === 4 && ['global', 'private', 'carrier-nat'].includes(address.scope);
}

/**
 * Whether an external address may stand for the internal one: an IPv6 address that is not global is nobody's to reach,
 * and one family is never the other's.
 */
export function isUsableFor(local: string, external: string): boolean {
  if (parseAddress(local)?.family === 4) return isUsableExternal(external);
  const address = parseAddress(external);
  return address !== null && address.family === 6 && address.scope === 'global';
}

/**
 * Whether another NAT stands outside the gateway: its outer address is private or the carrier's (RFC 6598), or it is not
 * among the addresses that servers see. Without any of those only the first can be said.
 */
export function isBehindAnotherNat(external: string, reflexive: readonly string[]): boolean {
  const address = parseAddress(external);
  if (address === null || address.scope !== 'global') return true;
  const seen = reflexive.flatMap((ip) => parseAddress(ip) ?? []).filter(({ family }) => family === 4);
  return seen.length > 0 && !seen.some(({ ip }) => ip === address.ip);
}
