/** CHANGE-REQUEST (RFC 5780, section 7.2): answer from another address, another port, or both. */
import { CHANGE_REQUEST } from './attribute-types.ts';
import { findAttribute, type StunAttribute, type StunMessage } from './message.ts';

const CHANGE_IP = 0x4;
const CHANGE_PORT = 0x2;

export interface Change {
  ip: boolean;
  port: boolean;
}

export function changeRequest(change: Change): StunAttribute {
  const flags = (change.ip ? CHANGE_IP : 0) | (change.port ? CHANGE_PORT : 0);
  return { type: CHANGE_REQUEST, value: Uint8Array.of(0, 0, 0, flags) };
}

/** Neither flag where it is absent; null where it is malformed. */
export function readChangeRequest(message: StunMessage): Change | null {
  const value = findAttribute(message, CHANGE_REQUEST);
  if (value === null) return { ip: false, port: false };
  if (value.length !== 4) return null;
  const flags = value[3] ?? 0;
  return { ip: (flags & CHANGE_IP) !== 0, port: (flags & CHANGE_PORT) !== 0 };
}
