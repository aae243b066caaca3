/** SSDP searches and their answers (UPnP Device Architecture 2.0, 1.3). Never throws. */
import { canonicalIp } from '../candidates/address.ts';
import { utf8ToBytes } from '../crypto/bytes.ts';

/** Devices of version 2 answer searches for version 1 too; some forget. */
export const SEARCH_TARGETS = [
  'urn:schemas-upnp-org:device:InternetGatewayDevice:2',
  'urn:schemas-upnp-org:device:InternetGatewayDevice:1',
] as const;
export const SSDP_GROUP = '239.255.255.250';
/** Of the link alone: the gateway is on it (UPnP Device Architecture 2.0, A.3). */
export const SSDP_GROUP_IPV6 = 'ff02::c';
/** A real answer is a few hundred bytes. */
const LARGEST_BYTES = 2_048;
const LONGEST_PATH = 512;

/** A unicast search has no MX: it is answered at once (1.3.2). */
export function encodeSearch(target: string, host: string): Uint8Array {
  const lines = ['M-SEARCH * HTTP/1.1', `HOST: ${hostText(host)}:1900`, 'MAN: "ssdp:discover"'];
  if (host === SSDP_GROUP || host === SSDP_GROUP_IPV6) lines.push('MX: 1');
  return utf8ToBytes([...lines, `ST: ${target}`, '', ''].join('\r\n'));
}

export type SearchDecoded = { kind: 'not-ours' } | { kind: 'malformed' } | { kind: 'ok'; location: string };

/** `not-ours`: another device's or service's answer, or somebody's announcement. */
export function decodeSearchAnswer(bytes: Uint8Array): SearchDecoded {
  if (bytes.length > LARGEST_BYTES) return { kind: 'malformed' };
  const [first = '', ...lines] = String.fromCharCode(...bytes).split(/\r?\n/);
  if (/^(?:NOTIFY|M-SEARCH) /.test(first)) return { kind: 'not-ours' };
  if (!/^HTTP\/1\.[01] 200\b/.test(first)) return { kind: 'malformed' };
  const header = (name: string) =>
    lines.find((line) => line.toLowerCase().startsWith(`${name}:`))?.slice(name.length + 1);
  const target = header('st')?.trim();
  const location = header('location')?.trim();
  if (target === undefined || location === undefined) return { kind: 'malformed' };
  return SEARCH_TARGETS.some((known) => known === target) ? { kind: 'ok', location } : { kind: 'not-ours' };
}

/** Where on the gateway a document or a control point is. */
export interface GatewayUrl {
  port: number;
  path: string;
}

/** The address without its zone, which only this host knows. */
export function withoutZone(ip: string): string {
  return canonicalIp(ip.replace(/%.*$/, ''));
}

/** As it stands in a URL or in a Host header. */
export function hostText(ip: string): string {
  return ip.includes(':') ? `[${withoutZone(ip)}]` : ip;
}

/**
 * Null for everything that is not plain HTTP on the gateway itself, by one of its addresses: names could lead anywhere.
 * `addresses` are in one spelling, without zones.
 */
export function parseGatewayUrl(text: string, addresses: readonly string[]): GatewayUrl | null {
  const match =
    /^http:\/\/(?:(\d{1,3}(?:\.\d{1,3}){3})|\[([0-9a-f:.]{2,45})(?:%[\w.-]{1,32})?\])(?::(\d{1,5}))?(\/[^#]*)?$/i.exec(
      text.trim(),
    );
  if (match === null || !addresses.includes(match[1] ?? canonicalIp(match[2] ?? ''))) return null;
  const port = match[3] === undefined ? 80 : Number(match[3]);
  const path = match[4] ?? '/';
  return port >= 1 && port <= 65_535 && isPath(path) ? { port, path } : null;
}

/** A URL of a description relative to where it was found (RFC 3986, 5.2, without dot segments). */
export function resolveGatewayUrl(
  base: GatewayUrl,
  reference: string,
  addresses: readonly string[],
): GatewayUrl | null {
  const text = reference.trim();
  if (/^[a-z][a-z0-9+.-]*:/i.test(text) || text.startsWith('//')) return parseGatewayUrl(text, addresses);
  const folder = base.path.slice(0, base.path.split('?')[0]!.lastIndexOf('/') + 1);
  const path = text.startsWith('/') ? text : folder + text;
  return isPath(path) ? { port: base.port, path } : null;
}

/** Printable ASCII: nothing that could end a header line. */
function isPath(path: string): boolean {
  return path.length <= LONGEST_PATH && /^\/[\x21-\x7e]*$/.test(path);
}
