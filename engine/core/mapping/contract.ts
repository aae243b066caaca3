/**
 * Port mapping, pure: what the world tells the mapper, and what the mapper asks of the world. The gateway is one router;
 * whoever changes networks makes a new mapper. Towards an IPv4 router a mapping translates an address and a port; towards
 * an IPv6 one it is a pinhole in the firewall, and the external endpoint is the internal one (RFC 6887, 11).
 */
export type MappingProtocol = 'pcp' | 'nat-pmp' | 'upnp';
export type Transport = 'udp' | 'tcp';

export interface Endpoint {
  ip: string;
  port: number;
}

/** PCP and NAT-PMP listen there (RFC 6887, 19.4; RFC 6886, 3.1). */
export const PORT_CONTROL_PORT = 5_351;
export const SSDP_PORT = 1_900;

/** One XML element as the shell parsed it: local name without prefix, own text, children. */
export interface XmlNode {
  name: string;
  text: string;
  children: XmlNode[];
}

/** A request to the gateway's HTTP server; nothing else is ever asked. */
export interface HttpRequest {
  id: number;
  method: 'GET' | 'POST';
  port: number;
  path: string;
  /** SOAPAction header and body of a POST. */
  soap?: { action: string; body: string };
}

/** `status` is HTTP's; `xml` is null where the body was none. */
export type HttpResult = { kind: 'answer'; status: number; xml: XmlNode | null } | { kind: 'failed' };

/** What must be known to renew or delete a mapping in another life of this program. */
export interface SavedLease {
  protocol: MappingProtocol;
  transport: Transport;
  gateway: string;
  internalPort: number;
  externalPort: number;
  /** PCP's, 12 bytes in hex. */
  nonce: string | null;
  /** Of a pinhole: the address that it leads to. From another one nobody may touch it. */
  client?: string;
  /** UPnP's name of a pinhole. */
  pinhole?: string;
}

/** Why there is no mapping although a gateway answered. */
export type Refusal = 'not-authorized' | 'no-resources' | 'network-failure' | 'unsupported' | 'no-answer' | 'hostile';

export type MappingView =
  /** Nobody has answered (yet). */
  | { state: 'none' }
  | { state: 'active'; protocol: MappingProtocol; external: Endpoint }
  | { state: 'failed'; why: Refusal };

export interface MapperOptions {
  /** The default gateway's address; a link-local one with its zone. */
  gateway: string;
  /** This host's address towards it: what the router forwards to. Of the same family, and global in IPv6. */
  local: string;
  random: (length: number) => Uint8Array;
  /** Leases that an earlier run may have left behind. */
  remembered: readonly SavedLease[];
}

export type MapperEvent =
  | { type: 'map'; transport: Transport; internalPort: number }
  | { type: 'unmap'; transport: Transport; internalPort: number }
  /** From the socket that port control requests leave by. */
  | { type: 'port-control'; from: Endpoint; bytes: Uint8Array }
  /** From the socket that searches leave by. */
  | { type: 'ssdp'; from: Endpoint; bytes: Uint8Array }
  | { type: 'http'; id: number; result: HttpResult }
  /** Something about the way out changed: renew at once, and look whether all else is as it was. */
  | { type: 'refresh' }
  | { type: 'tick' }
  /** Deletes every mapping; `stopped` follows within `STOP_WITHIN_MS`. */
  | { type: 'stop' };

export type MapperAction =
  /** To the gateway, port 5351. */
  | { type: 'port-control'; bytes: Uint8Array }
  /** To port 1900 of the gateway, or of 239.255.255.250 or ff02::c. */
  | { type: 'search'; multicast: boolean; bytes: Uint8Array }
  /** Answered by an `http` event with the same id. */
  | { type: 'http'; request: HttpRequest }
  | { type: 'changed' }
  | { type: 'save'; leases: SavedLease[] }
  | { type: 'log'; message: string }
  | { type: 'wake'; at: number }
  | { type: 'stopped' };

export interface MapperCore {
  handle(now: number, event: MapperEvent): MapperAction[];
  view(transport: Transport, internalPort: number): MappingView;
  /** Datagrams and answers that were not what they should be. */
  dropped(): number;
}
