/** Attribute types of RFC 8489 (section 18.3) and RFC 5780 (section 9.1) that this tree knows. */
export const MAPPED_ADDRESS = 0x0001;
export const CHANGE_REQUEST = 0x0003;
export const USERNAME = 0x0006;
export const MESSAGE_INTEGRITY = 0x0008;
export const ERROR_CODE = 0x0009;
export const UNKNOWN_ATTRIBUTES = 0x000a;
export const REALM = 0x0014;
export const NONCE = 0x0015;
export const MESSAGE_INTEGRITY_SHA256 = 0x001c;
export const XOR_MAPPED_ADDRESS = 0x0020;
export const RESPONSE_PORT = 0x0027;
export const SOFTWARE = 0x8022;
export const FINGERPRINT = 0x8028;
export const RESPONSE_ORIGIN = 0x802b;
export const OTHER_ADDRESS = 0x802c;

/** A receiver that does not know such a type must refuse the request with 420 (RFC 8489, section 14). */
export function isComprehensionRequired(type: number): boolean {
  return type < 0x8000;
}
