/** NAT-PMP messages (RFC 6886, sections 3.2 to 3.5). Never throws. */
import { decodeIpv4 } from './address-bytes.ts';
import type { Transport } from './contract.ts';

export const NAT_PMP_VERSION = 0;
/** RFC 6886, 3.5. */
export const NAT_PMP_RESULT = {
  success: 0,
  unsupportedVersion: 1,
  notAuthorized: 2,
  networkFailure: 3,
  outOfResources: 4,
  unsupportedOpcode: 5,
} as const;

const OPCODE_EXTERNAL_ADDRESS = 0;
const OPCODES: Record<Transport, number> = { udp: 1, tcp: 2 };
/** Set in every response. */
const RESPONSE = 128;
const HEADER_BYTES = 8;
const ADDRESS_BYTES = 12;
const MAPPING_BYTES = 16;

/** Lifetimes and epochs are seconds. */
export type NatPmpResponse =
  | { op: 'external-address'; epoch: number; ip: string }
  | {
      op: 'map';
      epoch: number;
      transport: Transport;
      internalPort: number;
      externalPort: number;
      lifetimeS: number;
    }
  /** `transport` null: of the external address. A refused mapping need not say which. */
  | { op: 'refused'; epoch: number; transport: Transport | null; result: number; internalPort: number | null };

export type NatPmpDecoded = { kind: 'not-ours' } | { kind: 'malformed' } | { kind: 'ok'; response: NatPmpResponse };

export function encodeExternalAddressRequest(): Uint8Array {
  return Uint8Array.of(NAT_PMP_VERSION, OPCODE_EXTERNAL_ADDRESS);
}

/** A lifetime of 0 deletes; the suggested port must be 0 then (RFC 6886, 3.4). */
export function encodeMappingRequest(request: {
  transport: Transport;
  internalPort: number;
  externalPort: number;
  lifetimeS: number;
}): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, NAT_PMP_VERSION);
  view.setUint8(1, OPCODES[request.transport]);
  view.setUint16(4, request.internalPort);
  view.setUint16(6, request.externalPort);
  view.setUint32(8, request.lifetimeS);
  return bytes;
}

export function decodeNatPmp(bytes: Uint8Array): NatPmpDecoded {
  if (bytes[0] !== NAT_PMP_VERSION) return { kind: 'not-ours' };
  if (bytes.length < HEADER_BYTES) return { kind: 'malformed' };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const response = readResponse(view, bytes);
  return response === null ? { kind: 'malformed' } : { kind: 'ok', response };
}

function readResponse(view: DataView, bytes: Uint8Array): NatPmpResponse | null {
  const opcode = view.getUint8(1) - RESPONSE;
  const result = view.getUint16(2);
  const epoch = view.getUint32(4);
  const transport = opcode === OPCODES.udp ? 'udp' : opcode === OPCODES.tcp ? 'tcp' : null;
  if (transport === null && opcode !== OPCODE_EXTERNAL_ADDRESS) return null;
  if (result !== NAT_PMP_RESULT.success) {
    const internalPort = transport !== null && bytes.length >= MAPPING_BYTES ? view.getUint16(8) : null;
    return { op: 'refused', epoch, transport, result, internalPort };
  }
  if (transport === null) {
    return bytes.length === ADDRESS_BYTES ? { op: 'external-address', epoch, ip: decodeIpv4(bytes, 8) } : null;
  }
  if (bytes.length !== MAPPING_BYTES) return null;
  const [internalPort, externalPort] = [view.getUint16(8), view.getUint16(10)];
  return { op: 'map', epoch, transport, internalPort, externalPort, lifetimeS: view.getUint32(12) };
}
