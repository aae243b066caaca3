/**
 * Answers about the members' names: to the system's resolver (RFC 1035), to LLMNR (RFC 4795) and to mDNS (RFC 6762).
 * Pure: bytes in, bytes out. Null is silence.
 */
import { type Answer, AUTHORITATIVE_ANSWER, decode, encode, type Packet, type Question } from 'dns-packet';
import ipaddr from 'ipaddr.js';
import { DOMAIN, labelOf, type NamedHost } from './labels.ts';

export type Flavour = 'dns' | 'llmnr' | 'mdns' | 'mdns-legacy';

/** Addresses may move when two members claim the same: short. */
const TTL_SECONDS = 30;
/** RFC 6762, section 6.7: what an ordinary resolver hears must not live long. */
const LEGACY_TTL_SECONDS = 10;
/** RFC 1035, section 4.1.1. */
const NOT_FOUND = 3;
const REFUSED = 5;
const OPCODE = 0x7800;
const RECURSION_DESIRED = 0x0100;
/** A resolver asks one question; mDNS may bundle a few. */
const MAX_QUESTIONS = 16;

/** `hosts` are those that may be told of. */
export function answer(query: Uint8Array, hosts: readonly NamedHost[], flavour: Flavour): Uint8Array | null {
  const packet = parse(query);
  if (packet === null) return null;
  return flavour === 'dns' ? answerResolver(packet, hosts) : answerNeighbour(packet, hosts, flavour);
}

/** Null for anything but a standard query. */
function parse(bytes: Uint8Array): Packet | null {
  try {
    const packet = decode(Buffer.from(bytes));
    const questions = packet.questions?.length ?? 0;
    const good = packet.type === 'query' && ((packet.flags ?? 0) & OPCODE) === 0;
    return good && questions > 0 && questions <= MAX_QUESTIONS ? packet : null;
  } catch {
    return null;
  }
}

/** A resolver waits for an answer to everything: what is not there, and what is not ours, is said to be so. */
function answerResolver({ id, flags = 0, questions = [] }: Packet, hosts: readonly NamedHost[]): Uint8Array | null {
  const [question] = questions;
  if (question === undefined || questions.length > 1) return null;
  const found = lookUp(question, hosts, DOMAIN, TTL_SECONDS);
  const ours = question.name.toLowerCase() === DOMAIN || question.name.toLowerCase().endsWith(`.${DOMAIN}`);
  const code = found ? 0 : ours || isReverse(question.name) ? NOT_FOUND : REFUSED;
  return bytesOf({
    type: 'response',
    id: id ?? 0,
    flags: AUTHORITATIVE_ANSWER | (flags & RECURSION_DESIRED) | code,
    questions,
    answers: found ?? [],
  });
}

/** Neighbours ask everyone: silence where nothing is known. */
function answerNeighbour(
  { id, questions = [] }: Packet,
  hosts: readonly NamedHost[],
  flavour: Flavour,
): Uint8Array | null {
  const domain = flavour === 'llmnr' ? '' : 'local';
  const ttl = flavour === 'mdns-legacy' ? LEGACY_TTL_SECONDS : TTL_SECONDS;
  const found = questions.map((question) => lookUp(question, hosts, domain, ttl));
  if (found.every((one) => one === null)) return null;
  const answers = found.flatMap((one) => one ?? []);
  // RFC 6762, section 6: a multicast answer has no question, no id, and replaces what was cached.
  if (flavour === 'mdns') {
    if (answers.length === 0) return null;
    const fresh = answers.map((one): Answer => ({ ...one, flush: true }) as Answer);
    return bytesOf({ type: 'response', id: 0, flags: AUTHORITATIVE_ANSWER, answers: fresh });
  }
  // RFC 4795, section 2.1.1: where DNS has AA, LLMNR has its conflict bit.
  const flags = flavour === 'llmnr' ? 0 : AUTHORITATIVE_ANSWER;
  return bytesOf({ type: 'response', id: id ?? 0, flags, questions, answers });
}

/** Null: no such name. Empty: it has nothing of that type. */
function lookUp(
  { name, type, class: kind }: Question,
  hosts: readonly NamedHost[],
  domain: string,
  ttl: number,
): Answer[] | null {
  if (kind !== undefined && kind !== 'IN' && kind !== 'ANY') return null;
  const wanted = type as string;
  const pointed = hosts.find((host) => reverseNames(host).includes(name.toLowerCase()));
  if (pointed) {
    return wanted === 'PTR' || wanted === 'ANY' ? [{ type: 'PTR', class: 'IN', name, ttl, data: pointed.name }] : [];
  }
  const host = hosts.find((one) => one.name === inZone(name, domain));
  if (host === undefined) return null;
  const answers: Answer[] = [];
  if (host.ipv4 && (wanted === 'A' || wanted === 'ANY'))
    answers.push({ type: 'A', class: 'IN', name, ttl, data: host.ipv4 });
  if (host.ipv6 && (wanted === 'AAAA' || wanted === 'ANY')) {
    answers.push({ type: 'AAAA', class: 'IN', name, ttl, data: host.ipv6 });
  }
  return answers;
}

/** The name as the zone has it, whichever way it is asked for; LLMNR asks for the label alone. */
function inZone(name: string, domain: string): string {
  const lower = name.toLowerCase();
  const label = domain !== '' && lower.endsWith(`.${domain}`) ? lower.slice(0, -domain.length - 1) : lower;
  if ((domain !== '' && label === lower) || label.includes('.')) return '';
  return `${/^[a-z0-9-]+$/.test(label) ? label : labelOf(label)}.${DOMAIN}`;
}

const isReverse = (name: string) => /\.(?:in-addr|ip6)\.arpa$/i.test(name);

/** RFC 1035, section 3.5, and RFC 3596, section 2.5. */
function reverseNames({ ipv4, ipv6 }: NamedHost): string[] {
  const names = ipv4 ? [`${ipv4.split('.').toReversed().join('.')}.in-addr.arpa`] : [];
  if (ipv6) {
    const nibbles = ipaddr.IPv6.parse(ipv6)
      .toByteArray()
      .flatMap((byte) => [byte & 15, byte >> 4].toReversed());
    names.push(
      `${nibbles
        .toReversed()
        .map((nibble) => nibble.toString(16))
        .join('.')}.ip6.arpa`,
    );
  }
  return names;
}

function bytesOf(packet: Packet): Uint8Array | null {
  try {
    return new Uint8Array(encode(packet));
  } catch {
    // A name that was decoded need not be one that can be encoded.
    return null;
  }
}
