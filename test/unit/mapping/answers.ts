/** What gateways answer, byte by byte as the RFCs lay it out. */
import { EXTERNAL } from './router.ts';

const ipv4 = (ip: string) => ip.split('.').map(Number);

/** RFC 6886, 3.2. */
export function natPmpAddress({ result = 0, epoch = 100, ip = EXTERNAL } = {}): Uint8Array {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt8(128, 1);
  bytes.writeUInt16BE(result, 2);
  bytes.writeUInt32BE(epoch, 4);
  bytes.set(ipv4(ip), 8);
  return bytes;
}

/** RFC 6886, 3.3: the answer to these request bytes. */
export function natPmpMapping(
  request: Uint8Array,
  { result = 0, epoch = 100, externalPort = -1, lifetimeS = -1 } = {},
): Uint8Array {
  const asked = Buffer.from(request);
  const bytes = Buffer.alloc(16);
  bytes.writeUInt8(128 + asked.readUInt8(1), 1);
  bytes.writeUInt16BE(result, 2);
  bytes.writeUInt32BE(epoch, 4);
  bytes.writeUInt16BE(asked.readUInt16BE(4), 8);
  bytes.writeUInt16BE(externalPort < 0 ? asked.readUInt16BE(6) : externalPort, 10);
  bytes.writeUInt32BE(lifetimeS < 0 ? asked.readUInt32BE(8) : lifetimeS, 12);
  return bytes;
}

/** RFC 6887, 7.2 and 11.1: the answer to these request bytes, an ANNOUNCE or a MAP. */
export function pcpAnswer(
  request: Uint8Array,
  { result = 0, epoch = 100, externalPort = -1, lifetimeS = -1, ip = EXTERNAL } = {},
): Uint8Array {
  const bytes = Buffer.from(request);
  bytes.writeUInt8(bytes.readUInt8(1) | 0x80, 1);
  bytes.writeUInt8(result, 3);
  if (lifetimeS >= 0) bytes.writeUInt32BE(lifetimeS, 4);
  bytes.writeUInt32BE(epoch, 8);
  bytes.fill(0, 12, 24);
  if (bytes.length < 60) return bytes;
  if (externalPort >= 0) bytes.writeUInt16BE(externalPort, 42);
  bytes.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...ipv4(ip)], 44);
  return bytes;
}

/** The same of a firewall, which translates nothing: the external endpoint is the internal one, unless it is told otherwise. */
export function pcpPinhole(
  request: Uint8Array,
  { externalIp, ...said }: { result?: number; epoch?: number; lifetimeS?: number; externalIp?: Uint8Array } = {},
): Uint8Array {
  const bytes = Buffer.from(pcpAnswer(request, said));
  if (bytes.length < 60) return bytes;
  bytes.set(externalIp ?? request.subarray(8, 24), 44);
  bytes.set(request.subarray(40, 42), 42);
  return bytes;
}

export const isPcp = (bytes: Uint8Array): boolean => bytes[0] === 2;
export const isNatPmp = (bytes: Uint8Array): boolean => bytes[0] === 0;
export const isMap = (bytes: Uint8Array): boolean => bytes.length > 24 || (bytes[0] === 0 && bytes.length === 12);
/** Lifetime that a mapping request asks for; 0 deletes. */
export const lifetimeOf = (bytes: Uint8Array): number => Buffer.from(bytes).readUInt32BE(isPcp(bytes) ? 4 : 8);
export const suggestedPortOf = (bytes: Uint8Array): number => Buffer.from(bytes).readUInt16BE(isPcp(bytes) ? 42 : 6);
export const internalPortOf = (bytes: Uint8Array): number => Buffer.from(bytes).readUInt16BE(isPcp(bytes) ? 40 : 4);
export const nonceOf = (bytes: Uint8Array): string => Buffer.from(bytes.subarray(24, 36)).toString('hex');
