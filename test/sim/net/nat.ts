/**
 * A router with a NAT for IPv4 and a stateful firewall for IPv6, between an inside and an outside segment. With `nat64` its
 * insiders have IPv6 only, and what they send to an address of that prefix leaves as IPv4.
 */
import ipaddr from 'ipaddr.js';
import type { Random } from '../core/random.ts';
import type { Timeline } from '../core/timeline.ts';
import { type Behaviour, type BindingOptions, Bindings, type Mapping } from './bindings.ts';
import { Firewall } from './firewall.ts';
import type { LinkOptions } from './link.ts';
import {
  type Endpoint,
  endpointKey,
  familyOf,
  type IcmpPacket,
  icmpAbout,
  type Packet,
  type UdpPacket,
} from './packet.ts';
import { createAllocator, type PortAllocation, type PortAllocator } from './ports.ts';
import type { Attachment, Node, Segment } from './segment.ts';

export interface NatOptions {
  mapping: Behaviour;
  filtering: Behaviour;
  ports: PortAllocation;
  /** `paired` (default): an inside address keeps its outside address; `arbitrary`: each mapping draws one. */
  pooling?: 'paired' | 'arbitrary';
  /** Default 120 s. */
  mappingLifetimeMs?: number;
  /** Default: the mapping's. */
  filterLifetimeMs?: number;
  /** Packets that are let in keep their mapping too. Default false: only outbound ones do (RFC 4787, REQ-6 allows either). */
  inboundRefresh?: boolean;
  /**
   * A packet that is let in begins a flow, and its answer leaves by the mapping that let it in, as in NATs that look up whole
   * flows. Default false: the answer's destination decides (RFC 4787's mapping behaviours to the letter).
   */
  flows?: boolean;
  /** What a hairpinned packet's source is. Default `none`: such packets are dropped. */
  hairpin?: 'none' | 'internal-source' | 'external-source';
  maxMappings?: number;
  maxSessions?: number;
  /** An ICMP error from outside about a mapping ends it. Default false (RFC 4787, REQ-10). */
  icmpKillsMappings?: boolean;
  /** What a packet gets that no mapping admits. Default `drop`. */
  unsolicited?: 'drop' | 'reject';
  /** Netfilter: one outside port serves several destinations; only the whole 5-tuple must be unique. */
  sharedPorts?: boolean;
  /** Netfilter: an unsolicited packet is the router's own connection for 30 s, and its 5-tuple is taken. */
  unsolicitedTakesPort?: boolean;
  /** No UDP passes, in either direction. */
  udpBlocked?: boolean;
  /** Default: address-and-port-dependent, 120 s. */
  ipv6Filtering?: Behaviour;
  /** Translates between the families (RFC 6146) under the well-known prefix. */
  nat64?: boolean;
}

/** nf_conntrack_udp_timeout, of an entry that saw one direction only. */
const CLAIM_MS = 30_000;

export class Nat implements Node {
  readonly name: string;
  options: NatOptions;
  readonly bindings: Bindings;
  /** Rises when connections through it die: reboot, flush, change of address. */
  generation = 0;
  /** By cause, for a test that asks why nothing came through. */
  readonly drops = { filtered: 0, full: 0, blocked: 0, hairpin: 0, down: 0 };
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #firewall: Firewall;
  readonly #claims = new Map<string, number>();
  readonly #pairs = new Map<string, string>();
  #allocator: PortAllocator;
  #addresses: string[] = [];
  #inside: Attachment | null = null;
  #outside: Attachment | null = null;
  #insideAddress = '';
  #downUntil = 0;

  constructor(timeline: Timeline, random: Random, name: string, options: NatOptions) {
    this.#timeline = timeline;
    this.#random = random.stream(`nat ${name}`);
    this.name = name;
    this.options = options;
    this.bindings = new Bindings(bindingOptions(options));
    const { mappingLifetimeMs } = this.bindings.options;
    this.#firewall = new Firewall(options.ipv6Filtering ?? 'address-and-port-dependent', mappingLifetimeMs);
    this.#allocator = createAllocator(options.ports, this.#random);
  }

  /** Becomes the gateway of `segment`. */
  attachInside(segment: Segment, address: string, link?: LinkOptions): Attachment {
    this.#insideAddress = address;
    this.#inside = segment.attach(this, { addresses: [address], up: link, gateway: true });
    return this.#inside;
  }

  /** `addresses` is the pool of outside addresses. */
  attachOutside(segment: Segment, addresses: string[], up?: LinkOptions, down?: LinkOptions): Attachment {
    this.#addresses = addresses;
    this.#outside = segment.attach(this, { addresses, up, down });
    return this.#outside;
  }

  get outside(): Attachment {
    if (this.#outside === null) throw new Error(`${this.name} has no outside`);
    return this.#outside;
  }

  /** Rebooting: nothing passes. */
  get down(): boolean {
    return this.#timeline.now() < this.#downUntil;
  }

  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /** Packets for this IPv6 address outside belong in here. */
  routeIpv6(address: string): void {
    this.outside.segment.assign(this.outside, address);
  }

  unrouteIpv6(address: string): void {
    this.outside.segment.release(address);
  }

  /** Every mapping is forgotten; nothing passes for `downMs`. Port counters start anew. */
  reboot(downMs: number): void {
    this.flush();
    this.#allocator = createAllocator(this.options.ports, this.#random);
    this.#downUntil = this.#timeline.now() + downMs;
  }

  /** Another box takes over, which knows nothing of the one before and behaves as it likes. */
  become(options: NatOptions): void {
    this.options = options;
    this.bindings.options = bindingOptions(options);
    this.#allocator = createAllocator(options.ports, this.#random);
    this.flush();
  }

  flush(): void {
    this.generation++;
    this.bindings.clear(this.#timeline.now());
    this.#claims.clear();
    this.#firewall.clear();
  }

  /** The provider hands out new addresses: the old mappings are gone with the old ones. */
  changeAddresses(addresses: string[]): void {
    const { segment } = this.outside;
    for (const address of this.#addresses) segment.release(address);
    for (const address of addresses) segment.assign(this.outside, address);
    this.#addresses = addresses;
    this.#pairs.clear();
    this.flush();
  }

  /** The outside address that connections of `insideIp` come from. */
  addressFor(insideIp: string): string {
    if (this.options.pooling === 'arbitrary') return this.#random.pick(this.#addresses);
    let address = this.#pairs.get(insideIp);
    if (address === undefined) {
      address = this.#random.pick(this.#addresses);
      this.#pairs.set(insideIp, address);
    }
    return address;
  }

  receive(packet: Packet, at: Attachment): void {
    if (this.down) this.drops.down++;
    else if (packet.kind === 'icmp') this.#icmp(packet, at);
    else if (this.options.udpBlocked) this.drops.blocked++;
    else if (this.options.nat64 && at === this.#inside && behindNat64(packet.dst.ip) !== null) {
      this.#outbound({ ...packet, dst: { ip: behindNat64(packet.dst.ip) ?? '', port: packet.dst.port } }, at);
    } else if (familyOf(packet.dst.ip) === 6) this.#forward6(packet, at);
    else if (at === this.#inside) this.#outbound(packet, at);
    else this.#inbound(packet);
  }

  #outbound(packet: UdpPacket, at: Attachment): void {
    if (packet.ttl <= 1) return at.segment.send(icmpAbout(packet, 'time-exceeded', this.#insideAddress), at);
    const hairpin = this.#addresses.includes(packet.dst.ip);
    if (hairpin && (this.options.hairpin ?? 'none') === 'none') {
      this.drops.hairpin++;
      return;
    }
    const mapping = this.#map(packet);
    if (mapping === null || !this.bindings.refresh(this.#timeline.now(), mapping, packet.dst)) {
      this.drops.full++;
      return;
    }
    const translated = { ...packet, src: mapping.outside, ttl: packet.ttl - 1 };
    if (!hairpin) this.outside.segment.send(translated, this.outside);
    else this.#hairpin(translated, this.options.hairpin === 'internal-source' ? packet.src : mapping.outside);
  }

  /** From one insider to another's outside endpoint; filters look at packets from outside only. */
  #hairpin(packet: UdpPacket, source: Endpoint): void {
    const mapping = this.bindings.at(this.#timeline.now(), packet.dst)[0];
    const inside = this.#inside as Attachment;
    if (mapping === undefined) this.drops.hairpin++;
    else inside.segment.send(toInsider({ ...packet, src: source }, mapping.inside), inside);
  }

  #inbound(packet: UdpPacket): void {
    const now = this.#timeline.now();
    const mapping = this.bindings.admit(now, packet.dst, packet.src);
    if (mapping === null) {
      this.drops.filtered++;
      if (this.options.unsolicitedTakesPort) this.#claims.set(tuple(packet.dst, packet.src), now + CLAIM_MS);
      if (this.options.unsolicited === 'reject') {
        this.outside.segment.send(icmpAbout(packet, 'port-unreachable', packet.dst.ip), this.outside);
      }
      return;
    }
    if (packet.ttl <= 1) {
      this.outside.segment.send(icmpAbout(packet, 'time-exceeded', packet.dst.ip), this.outside);
      return;
    }
    if (this.options.flows) this.bindings.adopt(now, mapping, packet.src);
    if (this.options.inboundRefresh) this.bindings.refresh(now, mapping, packet.src);
    const inside = this.#inside as Attachment;
    inside.segment.send(toInsider({ ...packet, ttl: packet.ttl - 1 }, mapping.inside), inside);
  }

  #map(packet: UdpPacket): Mapping | null {
    const now = this.#timeline.now();
    const known = this.bindings.find(now, packet.src, packet.dst);
    if (known !== null) return known;
    const ip = this.addressFor(packet.src.ip);
    const free = (port: number) => this.#free(now, { ip, port }, packet.dst);
    const port = this.#allocator.next(now, packet.src.ip, packet.src.port, free);
    return port === null ? null : this.bindings.create(now, packet.src, packet.dst, { ip, port });
  }

  #free(now: number, outside: Endpoint, remote: Endpoint): boolean {
    const claim = this.#claims.get(tuple(outside, remote));
    if (claim !== undefined && claim > now) return false;
    const holders = this.bindings.at(now, outside);
    if (!this.options.sharedPorts) return holders.length === 0;
    return !holders.some((mapping) => mapping.key.endsWith(`|${endpointKey(remote)}`));
  }

  /** Errors are translated back to the insider that caused them; some NATs end the mapping (REQ-10 forbids it). */
  #icmp(packet: IcmpPacket, at: Attachment): void {
    if (at === this.#inside) {
      if (familyOf(packet.dst.ip) === 6) this.outside.segment.send(packet, this.outside);
      return; // An insider's refusal stays inside: most home routers translate none.
    }
    if (familyOf(packet.dst.ip) === 6) {
      const inside = this.#inside as Attachment;
      return inside.segment.send(packet, inside);
    }
    const now = this.#timeline.now();
    for (const mapping of this.bindings.at(now, packet.about.src)) {
      if (this.options.icmpKillsMappings) this.bindings.remove(mapping);
      const inside = this.#inside as Attachment;
      const about = { src: mapping.inside, dst: packet.about.dst };
      inside.segment.send({ ...packet, dst: { ip: mapping.inside.ip, port: 0 }, about }, inside);
    }
  }

  #forward6(packet: UdpPacket, at: Attachment): void {
    const now = this.#timeline.now();
    const inside = this.#inside as Attachment;
    const to = at === inside ? this.outside : inside;
    if (packet.ttl <= 1) {
      at.segment.send(icmpAbout(packet, 'time-exceeded', '2001:db8:ffff::1'), at);
      return;
    }
    if (at === inside) this.#firewall.outbound(now, packet.src, packet.dst);
    else if (!this.#firewall.admits(now, packet.dst, packet.src)) {
      this.drops.filtered++;
      return;
    }
    to.segment.send({ ...packet, ttl: packet.ttl - 1 }, to);
  }
}

function bindingOptions(options: NatOptions): BindingOptions {
  const mappingLifetimeMs = options.mappingLifetimeMs ?? 120_000;
  return {
    mapping: options.mapping,
    filtering: options.filtering,
    mappingLifetimeMs,
    filterLifetimeMs: options.filterLifetimeMs ?? mappingLifetimeMs,
    maxMappings: options.maxMappings ?? Number.POSITIVE_INFINITY,
    maxSessions: options.maxSessions ?? Number.POSITIVE_INFINITY,
  };
}

function tuple(outside: Endpoint, remote: Endpoint): string {
  return `${endpointKey(outside)}|${endpointKey(remote)}`;
}

/** Translated where the insider has IPv6. */
function toInsider(packet: UdpPacket, dst: Endpoint): UdpPacket {
  if (familyOf(dst.ip) === 4) return { ...packet, dst };
  return { ...packet, src: { ip: throughNat64(packet.src.ip), port: packet.src.port }, dst };
}

/** The well-known prefix (RFC 6052, 2.1). */
const NAT64_PREFIX = ipaddr.IPv6.parse('64:ff9b::');
const NAT64_BITS = 96;

/** What stands for an IPv4 address inside; an IPv6 one stays. */
export function throughNat64(ip: string): string {
  if (familyOf(ip) === 6) return ip;
  const quad = ipaddr.IPv4.parse(ip).toByteArray();
  return new ipaddr.IPv6([...NAT64_PREFIX.toByteArray().slice(0, 12), ...quad]).toRFC5952String();
}

/** The IPv4 address that this stands for; null: none. */
export function behindNat64(ip: string): string | null {
  if (familyOf(ip) === 4) return null;
  const address = ipaddr.IPv6.parse(ip);
  if (!address.match(NAT64_PREFIX, NAT64_BITS)) return null;
  return address.toByteArray().slice(12).join('.');
}
