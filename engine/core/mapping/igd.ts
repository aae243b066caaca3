/** What an Internet gateway's description offers (UPnP IGD 1 and 2): its WAN connections, in the order to try them. */
import type { XmlNode } from './contract.ts';
import { type GatewayUrl, parseGatewayUrl, resolveGatewayUrl } from './ssdp.ts';
import { MAX_SERVICES } from './tuning.ts';

export interface WanService {
  /** The whole urn, for SOAP. */
  type: string;
  control: GatewayUrl;
}

const ORDER = ['WANIPConnection:2', 'WANIPConnection:1', 'WANPPPConnection:1'];

/** Control points outside the gateway are left out. */
export function wanServices(root: XmlNode, location: GatewayUrl, gateway: string): WanService[] {
  const base = parseGatewayUrl(textOf(root, 'URLBase'), gateway) ?? location;
  const found: { rank: number; service: WanService }[] = [];
  visit(root, (node) => {
    if (node.name !== 'service') return;
    const type = textOf(node, 'serviceType');
    const rank = ORDER.findIndex((name) => type === `urn:schemas-upnp-org:service:${name}`);
    const control = resolveGatewayUrl(base, textOf(node, 'controlURL'), gateway);
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
