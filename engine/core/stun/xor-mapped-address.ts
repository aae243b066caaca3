/** XOR-MAPPED-ADDRESS (RFC 8489, section 14.2): port and address masked by cookie and transaction id. */
import { decodeAddress, encodeAddress, type Endpoint } from './address.ts';
import { XOR_MAPPED_ADDRESS } from './attribute-types.ts';
import { findAttribute, MAGIC_COOKIE, type StunAttribute, type StunMessage } from './message.ts';

export function xorMappedAddress(endpoint: Endpoint, transactionId: Uint8Array): StunAttribute {
  return { type: XOR_MAPPED_ADDRESS, value: masked(encodeAddress(endpoint), transactionId) };
}

/** Null where it is absent or malformed. */
export function readXorMappedAddress(message: StunMessage): Endpoint | null {
  const value = findAttribute(message, XOR_MAPPED_ADDRESS);
  return value && decodeAddress(masked(value, message.transactionId));
}

/** Its own inverse. The port starts the mask anew: it takes the cookie's upper half, the address the whole. */
function masked(value: Uint8Array, transactionId: Uint8Array): Uint8Array {
  const mask = new Uint8Array(4 + transactionId.length);
  new DataView(mask.buffer).setUint32(0, MAGIC_COOKIE);
  mask.set(transactionId, 4);
  return value.map((byte, i) => {
    if (i < 2) return byte;
    return byte ^ ((i < 4 ? mask[i - 2] : mask[i - 4]) ?? 0);
  });
}
