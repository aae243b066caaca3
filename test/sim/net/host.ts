/** A computer: addresses on segments, and UDP sockets bound to the wildcard address, as the device binds them. */
import type { HostAddress } from '../../../engine/ports.ts';
import type { Random } from '../core/random.ts';
import type { LinkOptions } from './link.ts';
import { DEFAULT_TTL, type Endpoint, familyOf, icmpAbout, type Packet, type UdpPacket } from './packet.ts';
import type { Attachment, Node, Segment } from './segment.ts';

export interface HostSocket {
  readonly family: 4 | 6;
  readonly port: number;
  /** `from`: one of the host's addresses, default by route. false: no route. */
  send(to: Endpoint, bytes: Uint8Array, options?: { ttl?: number; from?: string }): boolean;
  close(): void;
}

type Receive = (from: Endpoint, bytes: Uint8Array, to: Endpoint) => void;

interface Interface {
  name: string;
  address: string;
  attachment: Attachment;
}

export class Host implements Node {
  readonly name: string;
  /** Rises when the host's addresses change: TCP connections of before are dead. */
  generation = 0;
  readonly #random: Random;
  readonly #sockets = new Map<string, Receive>();
  readonly #watchers = new Set<() => void>();
  #interfaces: Interface[] = [];

  constructor(name: string, random: Random) {
    this.name = name;
    this.#random = random.stream(`host ${name}`);
  }

  /** Adds an interface; the first of a family is the default route of that family. */
  connect(segment: Segment, address: string, link?: LinkOptions, name = `eth${this.#interfaces.length}`): Attachment {
    const attachment = segment.attach(this, { addresses: [address], up: link });
    this.#interfaces.push({ name, address, attachment });
    this.#changed();
    return attachment;
  }

  /** Takes every interface of `family` down (of all families when it is left out). */
  disconnect(family?: 4 | 6): void {
    const gone = this.#interfaces.filter((i) => family === undefined || familyOf(i.address) === family);
    for (const { attachment } of gone) attachment.segment.detach(attachment);
    this.#interfaces = this.#interfaces.filter((i) => !gone.includes(i));
    this.#changed();
  }

  addresses(): HostAddress[] {
    return this.#interfaces.map((i) => ({
      ip: i.address,
      family: familyOf(i.address),
      interface: i.name,
      virtual: false,
    }));
  }

  watchAddresses(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  }

  /** The way out for `ip`: the interface whose segment owns it, else the first of its family. */
  route(ip: string): { address: string; attachment: Attachment } | null {
    const same = this.#interfaces.filter((i) => familyOf(i.address) === familyOf(ip));
    return same.find((i) => i.attachment.segment.owns(ip)) ?? same[0] ?? null;
  }

  /** Port 0: a random free one of Linux' ephemeral range. Null when the port is taken. */
  bind(family: 4 | 6, port: number, receive: Receive): HostSocket | null {
    const chosen = port === 0 ? this.#ephemeral(family) : port;
    const key = `${family} ${chosen}`;
    if (this.#sockets.has(key)) return null;
    this.#sockets.set(key, receive);
    let open = true;
    return {
      family,
      port: chosen,
      send: (to, bytes, { ttl = DEFAULT_TTL, from } = {}) =>
        open && this.#send({ ip: from ?? '', port: chosen }, to, bytes, ttl, family),
      close: () => {
        if (open) this.#sockets.delete(key);
        open = false;
      },
    };
  }

  receive(packet: Packet, at: Attachment): void {
    if (packet.kind === 'icmp') return; // Linux tells unconnected UDP sockets nothing.
    const receive = this.#sockets.get(`${familyOf(packet.dst.ip)} ${packet.dst.port}`);
    if (receive !== undefined) receive(packet.src, packet.bytes, packet.dst);
    else at.segment.send(icmpAbout(packet, 'port-unreachable', packet.dst.ip), at);
  }

  #send(from: Endpoint, to: Endpoint, bytes: Uint8Array, ttl: number, family: 4 | 6): boolean {
    if (familyOf(to.ip) !== family) return false;
    const route = this.#interfaces.find((i) => i.address === from.ip) ?? this.route(to.ip);
    if (route === null) return false;
    const packet: UdpPacket = { kind: 'udp', src: { ip: route.address, port: from.port }, dst: to, ttl, bytes };
    route.attachment.segment.send(packet, route.attachment);
    return true;
  }

  #ephemeral(family: 4 | 6): number {
    for (;;) {
      const port = this.#random.int(32_768, 60_999);
      if (!this.#sockets.has(`${family} ${port}`)) return port;
    }
  }

  #changed(): void {
    this.generation++;
    for (const changed of this.#watchers) changed();
  }
}
