/** PCP messages (RFC 6887): ANNOUNCE (14.1) and MAP (11.1) without options. Never throws. */
import { bytesToHex } from '../crypto/bytes.ts';
import { anyPcpAddress, decodePcpAddress, encodePcpAddress } from './address-bytes.ts';
import type { Transport } from './contract.ts';

export const PCP_VERSION = 2;
export const NONCE_BYTES = 12;
/** RFC 6887, 7.4; the ones that change what is done next. */
export const PCP_RESULT = {
  success: 0,
  unsupportedVersion: 1,
  notAuthorized: 2,
  unsupportedOpcode: 4,
  networkFailure: 7,
  noResources: 8,
  unsupportedProtocol: 9,
  userExceededQuota: 10,
  cannotProvideExternal: 11,
} as const;

const OPCODE_ANNOUNCE = 0;
const OPCODE_MAP = 1;
const RESPONSE = 0x80;
const HEADER_BYTES = 24;
const MAP_BYTES = HEADER_BYTES + 36;
/** RFC 6887, 7: the largest message. */
const LARGEST_BYTES = 1_100;
/** IANA protocol numbers. */
const PROTOCOLS: Record<Transport, number> = { udp: 17, tcp: 6 };

export interface PcpMapRequest {
  /** This host's address on the way to the server; another is answered ADDRESS_MISMATCH. */
  client: string;
  /** 12 bytes. Renewal and delete need the one that the mapping was made with. */
  nonce: Uint8Array;
  transport: Transport;
  internalPort: number;
  /** 0 for no preference; always 0 in a delete. */
  externalPort: number;
  /** Seconds; 0 deletes. */
  lifetimeS: number;
}

/** Lifetimes and epochs are seconds. In an error the lifetime says for how long it will stay so. */
export type PcpResponse =
  | { op: 'announce'; result: number; lifetimeS: number; epoch: number }
  | {
      op: 'map';
      result: number;
      lifetimeS: number;
      epoch: number;
      /** Hex. */
      nonce: string;
      transport: Transport;
      internalPort: number;
      externalPort: number;
      externalIp: string;
    };

export type PcpDecoded = { kind: 'not-ours' } | { kind: 'malformed' } | { kind: 'ok'; response: PcpResponse };

export function encodeAnnounceRequest(client: string): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  writeHeader(bytes, OPCODE_ANNOUNCE, 0, client);
  return bytes;
}

export function encodeMapRequest(request: PcpMapRequest): Uint8Array {
  const bytes = new Uint8Array(MAP_BYTES);
  writeHeader(bytes, OPCODE_MAP, request.lifetimeS, request.client);
  const view = new DataView(bytes.buffer);
  bytes.set(request.nonce, 24);
  view.setUint8(36, PROTOCOLS[request.transport]);
  view.setUint16(40, request.internalPort);
  view.setUint16(42, request.externalPort);
  // No preference is the all-zeros address of the wanted family (11.1).
  bytes.set(anyPcpAddress(request.client), 44);
  return bytes;
}

function writeHeader(bytes: Uint8Array, opcode: number, lifetimeS: number, client: string): void {
  const view = new DataView(bytes.buffer);
  view.setUint8(0, PCP_VERSION);
  view.setUint8(1, opcode);
  view.setUint32(4, lifetimeS);
  bytes.set(encodePcpAddress(client), 8);
}

export function decodePcp(bytes: Uint8Array): PcpDecoded {
  if (bytes[0] !== PCP_VERSION) return { kind: 'not-ours' };
  if (bytes.length < HEADER_BYTES || bytes.length > LARGEST_BYTES || bytes.length % 4 !== 0)
    return { kind: 'malformed' };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const response = readResponse(view, bytes);
  return response === null ? { kind: 'malformed' } : { kind: 'ok', response };
}

function readResponse(view: DataView, bytes: Uint8Array): PcpResponse | null {
  const common = { result: view.getUint8(3), lifetimeS: view.getUint32(4), epoch: view.getUint32(8) };
  const opcode = view.getUint8(1);
  if (opcode === (RESPONSE | OPCODE_ANNOUNCE)) return { op: 'announce', ...common };
  if (opcode !== (RESPONSE | OPCODE_MAP) || bytes.length < MAP_BYTES) return null;
  const transport = transportOf(view.getUint8(36));
  if (transport === null) return null;
  return {
    op: 'map',
    ...common,
    nonce: bytesToHex(bytes.subarray(24, 24 + NONCE_BYTES)),
    transport,
    internalPort: view.getUint16(40),
    externalPort: view.getUint16(42),
    externalIp: decodePcpAddress(bytes, 44),
  };
}

function transportOf(protocol: number): Transport | null {
  if (protocol === PROTOCOLS.udp) return 'udp';
  return protocol === PROTOCOLS.tcp ? 'tcp' : null;
}
