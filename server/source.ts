/** Where a client connects from: the unit that limits are counted by, and the opaque tag that members see of it. */
import { createHmac, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { WarrenError } from '../protocol/errors.ts';

const TAG_BYTES = 8;

/** An IPv4 address, or the /64 of an IPv6 address, as text; IPv4 inside IPv6 counts as IPv4. */
export function sourceKey(ip: string): string {
  const address = ipaddr.process(ip);
  if (address instanceof ipaddr.IPv6) return address.parts.slice(0, 4).join(':');
  return address.toString();
}

/** The plain text of a socket's address: without zone, IPv4 not inside IPv6. */
export function plainAddress(ip: string): string {
  return ipaddr.process(ip.split('%', 1)[0] ?? ip).toString();
}

/** Equal tags for equal keys during one run; what lies behind a tag cannot be found by trying. */
export function createSourceTags(): (key: string) => string {
  const secret = randomBytes(32);
  return (key) => createHmac('sha256', secret).update(key).digest().subarray(0, TAG_BYTES).toString('hex');
}

/** Says whether an address belongs to a trusted proxy. Throws `usage` for what is not CIDR notation. */
export function createProxyTrust(networks: string[]): (ip: string) => boolean {
  const trusted = new BlockList();
  for (const network of networks) {
    const [ip = '', bits = ''] = network.split('/', 2);
    const family = isIP(ip);
    const prefix = bits === '' ? (family === 4 ? 32 : 128) : Number(bits);
    const widest = family === 4 ? 32 : 128;
    if (family === 0 || !Number.isInteger(prefix) || prefix < 0 || prefix > widest) {
      throw new WarrenError('usage', `not a network: ${network}`);
    }
    trusted.addSubnet(ip, prefix, family === 4 ? 'ipv4' : 'ipv6');
  }
  return (ip) => trusted.check(ip, isIP(ip) === 4 ? 'ipv4' : 'ipv6');
}

/**
 * The client's address: the socket's, or the last of X-Forwarded-For that no trusted proxy has, because everything
 * before it may be made up.
 */
export function clientAddress(request: IncomingMessage, trusted: (ip: string) => boolean): string {
  let ip = plainAddress(request.socket.remoteAddress ?? '0.0.0.0');
  const header = request.headers['x-forwarded-for'];
  const hops = (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',');
  while (hops.length > 0 && trusted(ip)) {
    const hop = hops.pop()?.trim() ?? '';
    if (isIP(hop) === 0) break;
    ip = plainAddress(hop);
  }
  return ip;
}

/** Counts of something a source; a count that falls to nothing is forgotten. */
export class SourceCounts {
  readonly #counts = new Map<string, number>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** False where the source is at its limit. */
  add(key: string): boolean {
    const count = this.#counts.get(key) ?? 0;
    if (count >= this.#limit) return false;
    this.#counts.set(key, count + 1);
    return true;
  }

  remove(key: string): void {
    const count = this.#counts.get(key) ?? 0;
    if (count > 1) this.#counts.set(key, count - 1);
    else this.#counts.delete(key);
  }
}

/** Which rooms each source is in, however many connections it has there. */
export class SourceRooms {
  readonly #rooms = new Map<string, Map<string, number>>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** False where the topic would be one room too many. */
  add(key: string, topic: string): boolean {
    const topics = this.#rooms.get(key) ?? new Map<string, number>();
    const count = topics.get(topic) ?? 0;
    if (count === 0 && topics.size >= this.#limit) return false;
    topics.set(topic, count + 1);
    this.#rooms.set(key, topics);
    return true;
  }

  remove(key: string, topic: string): void {
    const topics = this.#rooms.get(key);
    if (topics === undefined) return;
    const count = topics.get(topic) ?? 0;
    if (count > 1) topics.set(topic, count - 1);
    else topics.delete(topic);
    if (topics.size === 0) this.#rooms.delete(key);
  }
}
