/** What a STUN server answers to one datagram, and from which of its endpoints (RFC 8489, section 6.3; RFC 5780, 6.1). */
import type { Endpoint } from '../../engine/core/stun/address.ts';
import {
  CHANGE_REQUEST,
  isComprehensionRequired,
  MESSAGE_INTEGRITY,
  MESSAGE_INTEGRITY_SHA256,
  NONCE,
  REALM,
  RESPONSE_PORT,
  USERNAME,
} from '../../engine/core/stun/attribute-types.ts';
import { type BindingResponse, encodeBindingResponse } from '../../engine/core/stun/binding.ts';
import { readChangeRequest } from '../../engine/core/stun/change-request.ts';
import { CODE_BAD_REQUEST, CODE_UNKNOWN_ATTRIBUTE } from '../../engine/core/stun/error-code.ts';
import { decodeStun, METHOD_BINDING, type StunMessage } from '../../engine/core/stun/message.ts';
import { readResponsePort } from '../../engine/core/stun/response-port.ts';
import type { StunOutcome } from '../counters.ts';

/** One of up to four endpoints: 0 or 1 for the address, 0 or 1 for the port. */
export interface Position {
  address: 0 | 1;
  port: 0 | 1;
}

export interface StunLayout {
  /** Whether there is a second address. */
  twoAddresses: boolean;
  /** What the world calls the endpoint there; null where the server cannot know (bound to every address). */
  published: (at: Position) => Endpoint | null;
}

export type StunAnswer =
  /** `port`: where to, at the client's address. */
  | { outcome: 'answered' | 'refused'; from: Position; port: number; bytes: Uint8Array }
  | { outcome: Extract<StunOutcome, 'malformed' | 'not-stun' | 'ignored'> };

interface Route {
  from: Position;
  arrived: Position;
}

/** The server asks nobody for credentials, so it needs not look at any. */
const UNDERSTOOD = new Set([
  CHANGE_REQUEST,
  RESPONSE_PORT,
  USERNAME,
  REALM,
  NONCE,
  MESSAGE_INTEGRITY,
  MESSAGE_INTEGRITY_SHA256,
]);

/** Answers only Binding requests: no answer can cause another, so two servers never talk to each other. */
export function answerStun(bytes: Uint8Array, client: Endpoint, arrived: Position, layout: StunLayout): StunAnswer {
  const decoded = decodeStun(bytes);
  if (decoded.kind !== 'ok') return { outcome: decoded.kind };
  const { message } = decoded;
  if (message.class !== 'request' || message.method !== METHOD_BINDING || client.port === 0) {
    return { outcome: 'ignored' };
  }
  const way = wayBack(message, client, arrived, layout);
  if ('refusal' in way) {
    return { outcome: 'refused', from: arrived, port: client.port, bytes: encodeBindingResponse(way.refusal) };
  }
  const response = success(message, client, { from: way.from, arrived }, layout);
  return { outcome: 'answered', ...way, bytes: encodeBindingResponse(response) };
}

/** From where and to which port the answer leaves, or why there is none. */
function wayBack(
  message: StunMessage,
  client: Endpoint,
  arrived: Position,
  layout: StunLayout,
): { from: Position; port: number } | { refusal: BindingResponse } {
  const unknown = message.attributes.map(({ type }) => type).filter(isUnknown);
  if (unknown.length > 0) return { refusal: failure(message, CODE_UNKNOWN_ATTRIBUTE, [...new Set(unknown)]) };
  const change = readChangeRequest(message);
  const port = readResponsePort(message);
  if (change === null || port === null) return { refusal: failure(message, CODE_BAD_REQUEST, []) };
  // A server with one address does not know the attribute's other half.
  if (change.ip && !layout.twoAddresses) return { refusal: failure(message, CODE_UNKNOWN_ATTRIBUTE, [CHANGE_REQUEST]) };
  const from: Position = {
    address: change.ip ? other(arrived.address) : arrived.address,
    port: change.port ? other(arrived.port) : arrived.port,
  };
  return { from, port: port === 'absent' ? client.port : port };
}

function success(message: StunMessage, client: Endpoint, route: Route, layout: StunLayout): BindingResponse {
  const { from, arrived } = route;
  // What a change of both would use, seen from where the request arrived (RFC 5780, section 7.4).
  const opposite: Position = { address: other(arrived.address), port: other(arrived.port) };
  return {
    kind: 'success',
    transactionId: message.transactionId,
    mapped: client,
    origin: layout.published(from),
    other: layout.twoAddresses ? layout.published(opposite) : null,
  };
}

function failure({ transactionId }: StunMessage, code: number, unknown: number[]): BindingResponse {
  const phrase = code === CODE_BAD_REQUEST ? 'Bad Request' : 'Unknown Attribute';
  return { kind: 'error', transactionId, error: { code, phrase }, unknown };
}

function isUnknown(type: number): boolean {
  return isComprehensionRequired(type) && !UNDERSTOOD.has(type);
}

function other(half: 0 | 1): 0 | 1 {
  return half === 0 ? 1 : 0;
}
