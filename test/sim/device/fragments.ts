/** IP fragments: as the device makes them of packets that do not fit their path, and as the receiving host joins them. */
import { innerPacketWith, parseInner } from './address.ts';

const V4_HEADER = 20;
const V6_HEADER = 40;
const V6_FRAGMENT_HEADER = 8;
const FRAGMENT = 44;
const MORE = 1;

/** Longest inner packet on a path of this MTU: without IP, UDP and WireGuard's header and tag. */
export function innerLimit(mtu: number, family: 4 | 6): number {
  return mtu - (family === 4 ? 28 : 48) - 32;
}

/** The packet itself where it fits. Knows no IPv6 extensions but its own: scenarios send none. */
export function cut(packet: Uint8Array, limit: number, identification: number): Uint8Array[] {
  if (packet.length <= limit) return [packet];
  const v4 = (packet[0] ?? 0) >> 4 === 4;
  const header = v4 ? V4_HEADER : V6_HEADER + V6_FRAGMENT_HEADER;
  const payload = packet.subarray(v4 ? V4_HEADER : V6_HEADER);
  const step = (limit - header) & ~7;
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < payload.length; at += step) {
    const more = at + step < payload.length;
    const piece = payload.subarray(at, at + step);
    pieces.push(
      v4 ? v4Fragment(packet, piece, at, more, identification) : v6Fragment(packet, piece, at, more, identification),
    );
  }
  return pieces;
}

function v4Fragment(packet: Uint8Array, piece: Uint8Array, at: number, more: boolean, identification: number) {
  return innerPacketWith(packet.subarray(0, V4_HEADER), piece, (header) => {
    header.setUint16(4, identification & 0xffff);
    header.setUint16(6, (more ? 0x2000 : 0) | (at >> 3));
  });
}

function v6Fragment(packet: Uint8Array, piece: Uint8Array, at: number, more: boolean, identification: number) {
  const payload = new Uint8Array(V6_FRAGMENT_HEADER + piece.length);
  const view = new DataView(payload.buffer);
  payload[0] = packet[6] ?? 0;
  view.setUint16(2, at | (more ? MORE : 0));
  view.setUint32(4, identification);
  payload.set(piece, V6_FRAGMENT_HEADER);
  return innerPacketWith(packet.subarray(0, V6_HEADER), payload, (header) => header.setUint8(6, FRAGMENT));
}

interface Piece {
  at: number;
  more: boolean;
  bytes: Uint8Array;
}

/** A host that joins the fragments that reach it. */
export class Reassembly {
  readonly #waiting = new Map<string, Piece[]>();

  /** The payload of the datagram that this packet is, or completes; null while it is not whole. */
  join(packet: Uint8Array): Uint8Array | null {
    const inner = parseInner(packet);
    if (inner === null) return null;
    const fragment = fragmentOf(packet, inner.payload);
    if (fragment === null) return inner.payload;
    const key = `${inner.source.join()} ${inner.destination.join()} ${fragment.identification}`;
    const pieces = [...(this.#waiting.get(key) ?? []), fragment];
    const whole = joined(pieces);
    if (whole === null) this.#waiting.set(key, pieces);
    else this.#waiting.delete(key);
    return whole;
  }
}

function fragmentOf(packet: Uint8Array, payload: Uint8Array): (Piece & { identification: number }) | null {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  if ((packet[0] ?? 0) >> 4 === 4) {
    const field = view.getUint16(6);
    if ((field & 0x3fff) === 0) return null;
    const at = (field & 0x1fff) << 3;
    return { at, more: (field & 0x2000) !== 0, bytes: payload.slice(), identification: view.getUint16(4) };
  }
  if (packet[6] !== FRAGMENT) return null;
  const field = view.getUint16(V6_HEADER + 2);
  const bytes = payload.slice(V6_FRAGMENT_HEADER);
  return { at: field & ~7, more: (field & MORE) !== 0, bytes, identification: view.getUint32(V6_HEADER + 4) };
}

function joined(pieces: Piece[]): Uint8Array | null {
  const sorted = pieces.toSorted((a, b) => a.at - b.at);
  let length = 0;
  for (const piece of sorted) {
    if (piece.at !== length) return null;
    length += piece.bytes.length;
  }
  if (sorted.at(-1)?.more !== false) return null;
  const whole = new Uint8Array(length);
  for (const { at, bytes } of sorted) whole.set(bytes, at);
  return whole;
}
