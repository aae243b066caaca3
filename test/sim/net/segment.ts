/**
 * A network that delivers by destination address: a LAN, a carrier's inside, or the Internet. Whatever it does not own
 * goes to its gateway, if it has one. Each node is attached by two links, one a direction.
 */
import type { Random } from '../core/random.ts';
import type { Timeline } from '../core/timeline.ts';
import { Link, type LinkOptions } from './link.ts';
import { icmpAbout, type Packet, wireSize } from './packet.ts';

export interface Node {
  /** A packet came out of the link of `at`. */
  receive(packet: Packet, at: Attachment): void;
}

export interface Attachment {
  readonly node: Node;
  readonly segment: Segment;
  /** Node to segment. */
  readonly up: Link;
  /** Segment to node. */
  readonly down: Link;
}

export interface AttachOptions {
  addresses: string[];
  /** The same both ways unless `down` is given. */
  up?: LinkOptions;
  down?: LinkOptions;
  /** Takes what nobody here owns. */
  gateway?: boolean;
}

export class Segment {
  readonly name: string;
  /** Packets for which this says true are lost here: a way between two nodes dies while each still reaches others. */
  lose: ((packet: Packet) => boolean) | null = null;
  /** Routers crossed within (the time to live falls by as many). */
  readonly hops: number;
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #owners = new Map<string, Attachment>();
  #gateway: Attachment | null = null;

  constructor(timeline: Timeline, random: Random, name: string, hops = 0) {
    this.#timeline = timeline;
    this.#random = random.stream(`segment ${name}`);
    this.name = name;
    this.hops = hops;
  }

  attach(node: Node, options: AttachOptions): Attachment {
    const label = `${this.#owners.size} ${options.addresses[0] ?? 'none'}`;
    const attachment: Attachment = {
      node,
      segment: this,
      up: new Link(this.#timeline, this.#random.stream(`${label} up`), options.up),
      down: new Link(this.#timeline, this.#random.stream(`${label} down`), options.down ?? options.up),
    };
    for (const address of options.addresses) this.assign(attachment, address);
    if (options.gateway) this.#gateway = attachment;
    return attachment;
  }

  /** Gives an address to an attachment; throws when another holds it. */
  assign(attachment: Attachment, address: string): void {
    const owner = this.#owners.get(address);
    if (owner !== undefined && owner !== attachment) throw new Error(`${address} is taken in ${this.name}`);
    this.#owners.set(address, attachment);
  }

  release(address: string): void {
    this.#owners.delete(address);
  }

  detach(attachment: Attachment): void {
    for (const [address, owner] of this.#owners) if (owner === attachment) this.#owners.delete(address);
    if (this.#gateway === attachment) this.#gateway = null;
    attachment.up.up = false;
    attachment.down.up = false;
  }

  /** Whether a node here has this address itself. */
  owns(ip: string): boolean {
    return this.#owners.has(ip);
  }

  /** The attachment that gets packets for `ip`, or null where they die. */
  target(ip: string, from: Attachment | null): Attachment | null {
    const owner = this.#owners.get(ip);
    if (owner !== undefined) return owner;
    return this.#gateway === from ? null : this.#gateway;
  }

  /** Sends from a node into the segment. */
  send(packet: Packet, from: Attachment): void {
    from.up.transmit(wireSize(packet), () => this.#deliver(packet, from));
  }

  #deliver(packet: Packet, from: Attachment): void {
    if (this.lose?.(packet)) return;
    if (packet.ttl <= this.hops) {
      if (packet.kind === 'udp') this.#deliver(icmpAbout(packet, 'time-exceeded', '192.0.2.1'), from);
      return;
    }
    const to = this.target(packet.dst.ip, packet.kind === 'icmp' ? null : from);
    if (to === null) return;
    const arriving = this.hops > 0 ? { ...packet, ttl: packet.ttl - this.hops } : packet;
    to.down.transmit(wireSize(packet), () => to.node.receive(arriving, to));
  }
}
