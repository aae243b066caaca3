/** FINGERPRINT (RFC 8489, section 14.7): CRC-32 of everything before it, exclusive-or 0x5354554e. */
export const FINGERPRINT_BYTES = 4;
const XOR_VALUE = 0x5354554e;

/** CRC-32 of ITU V.42, reflected polynomial 0xedb88320. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc >>> 0;
});

/**
 * The four bytes of the value. `before` is the message up to the FINGERPRINT attribute; its length field already
 * counts that attribute.
 */
export function fingerprintOf(before: Uint8Array): Uint8Array {
  const value = new Uint8Array(FINGERPRINT_BYTES);
  new DataView(value.buffer).setUint32(0, (crc32(before) ^ XOR_VALUE) >>> 0);
  return value;
}

export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
