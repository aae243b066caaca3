/** What an Internet gateway's description offers (UPnP IGD 1 and 2): services, in the order to try them. */
import type { XmlNode } from './contract.ts';
import { type GatewayUrl, parseGatewayUrl, resolveGatewayUrl } from './ssdp.ts';
import { MAX_SERVICES } from './tuning.ts';

export interface IgdService {
  /** The whole urn, for SOAP. */
  type: string;
  control: GatewayUrl;
}

/** The IPv4 side: where ports are mapped. */
export const WAN_CONNECTIONS = ['WANIPConnection:2', 'WANIPConnection:1', 'WANPPPConnection:1'] as const;
/** The IPv6 side: where pinholes are made. */
export const FIREWALLS = ['WANIPv6FirewallControl:1'] as const;

/** Services of these types, the first type first. Control points outside the gateway are left out. */
export function servicesOf(
  root: XmlNode,
  types: readonly string[],
  location: GatewayUrl,
  addresses: readonly string[],
): IgdService[] {
  const base = parseGatewayUrl(textOf(root, 'URLBase'), addresses) ?? location;
  const found: { rank: number; service: IgdService }[] = [];
  visit(root, (node) => {
    if (node.name !== 'service') return;
    const type = textOf(node, 'serviceType');
    const rank = types.findIndex((name) => type === `urn:schemas-upnp-org:service:${name}`);
    const control = resolveGatewayUrl(base, textOf(node, 'controlURL'), addresses);
    if (rank >= 0 && control !== null) found.push({ rank, service: { type, control } });
  });
  return found
    .sort((a, b) => a.rank - b.rank)
    .slice(0, MAX_SERVICES)
    .map(({ service }) => service);
}

export function textOf(node: XmlNode, name: string): string {
  return node.children.find((child) => child.name === name)?.text.trim() ?? '';
}

function visit(node: XmlNode, look: (node: XmlNode) => void): void {
  look(node);
  for (const child of node.children) visit(child, look);
}
