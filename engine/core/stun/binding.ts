/** Binding requests and responses (RFC 8489, section 2; RFC 5780, section 4): what NAT discovery and the server use. */
import type { Endpoint } from './address.ts';
import { type Change, changeRequest } from './change-request.ts';
import { errorCode, readErrorCode, type StunError } from './error-code.ts';
import { readMappedAddress } from './mapped-address.ts';
import { decodeStun, encodeStun, METHOD_BINDING, type StunAttribute, type StunMessage } from './message.ts';
import { otherAddress, readOtherAddress } from './other-address.ts';
import { readResponseOrigin, responseOrigin } from './response-origin.ts';
import { responsePort } from './response-port.ts';
import { readUnknownAttributes, unknownAttributes } from './unknown-attributes.ts';
import { readXorMappedAddress, xorMappedAddress } from './xor-mapped-address.ts';

export interface BindingRequest {
  /** 12 random bytes: they tell the answer from a forgery. */
  transactionId: Uint8Array;
  /** From where to answer; left out: from where the request arrived. */
  change?: Change;
  /** To which port of our address to answer; left out: the one that the request came from. */
  responsePort?: number;
}

export interface BindingSuccess {
  kind: 'success';
  transactionId: Uint8Array;
  /** The client as the server sees it: its reflexive endpoint. */
  mapped: Endpoint;
  /** Where the answer says it comes from. */
  origin: Endpoint | null;
  /** The server's other address and port; only servers with two addresses have one. */
  other: Endpoint | null;
}

export interface BindingFailure {
  kind: 'error';
  transactionId: Uint8Array;
  error: StunError;
  /** Types beside a 420. */
  unknown: number[];
}

export type BindingResponse = BindingSuccess | BindingFailure;

export type BindingDecoded =
  | { kind: 'not-stun' }
  /** Also every STUN message that is no answer to a Binding request. */
  | { kind: 'malformed' }
  | { kind: 'ok'; response: BindingResponse };

/** With FINGERPRINT, so that a socket shared with other protocols can tell it. */
export function encodeBindingRequest({ transactionId, change, responsePort: port }: BindingRequest): Uint8Array {
  const attributes = change && (change.ip || change.port) ? [changeRequest(change)] : [];
  if (port !== undefined) attributes.push(responsePort(port));
  return encodeStun({ class: 'request', method: METHOD_BINDING, transactionId, attributes }, { fingerprint: true });
}

export function encodeBindingResponse(response: BindingResponse): Uint8Array {
  const { transactionId } = response;
  const cls = response.kind;
  const attributes = cls === 'success' ? successAttributes(response) : failureAttributes(response);
  return encodeStun({ class: cls, method: METHOD_BINDING, transactionId, attributes }, { fingerprint: true });
}

/** Decodes an answer to a Binding request. Never throws. */
export function decodeBindingResponse(bytes: Uint8Array): BindingDecoded {
  const decoded = decodeStun(bytes);
  if (decoded.kind !== 'ok') return decoded;
  const response = readBindingResponse(decoded.message);
  return response === null ? { kind: 'malformed' } : { kind: 'ok', response };
}

function readBindingResponse(message: StunMessage): BindingResponse | null {
  if (message.method !== METHOD_BINDING) return null;
  if (message.class === 'success') return readSuccess(message);
  if (message.class === 'error') return readFailure(message);
  return null;
}

function readSuccess(message: StunMessage): BindingSuccess | null {
  const mapped = readXorMappedAddress(message) ?? readMappedAddress(message);
  if (mapped === null || mapped.port === 0) return null;
  return {
    kind: 'success',
    transactionId: message.transactionId,
    mapped,
    origin: readResponseOrigin(message),
    other: readOtherAddress(message),
  };
}

function readFailure(message: StunMessage): BindingFailure | null {
  const error = readErrorCode(message);
  const unknown = readUnknownAttributes(message);
  if (error === null || unknown === null) return null;
  return { kind: 'error', transactionId: message.transactionId, error, unknown };
}

function successAttributes({ mapped, transactionId, origin, other }: BindingSuccess): StunAttribute[] {
  const attributes = [xorMappedAddress(mapped, transactionId)];
  if (origin !== null) attributes.push(responseOrigin(origin));
  if (other !== null) attributes.push(otherAddress(other));
  return attributes;
}

function failureAttributes({ error, unknown }: BindingFailure): StunAttribute[] {
  return unknown.length > 0 ? [errorCode(error), unknownAttributes(unknown)] : [errorCode(error)];
}
