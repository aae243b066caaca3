/** Whether an address is one of this host's now: what was sent from one that is gone is not answered any more. */
import { networkInterfaces } from 'node:os';

export function isOwnAddress(ip: string): boolean {
  const wanted = plain(ip);
  return Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => plain(address) === wanted));
}

/** As sockets tell it: an IPv4 address may be written as IPv6, and a link-local one names its interface. */
function plain(ip: string): string {
  return ip.replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '');
}
