/**
 * LAN discovery of games: what is set on the host while it is on, and what is seen of it.
 *
 * 1. The room gives this host its address: the interface gets it, with the routes of `routes`.
 * 2. When the system has them, the device copies broadcasts to everybody, and the groups of known games are joined. Where it
 *    hears what leaves by other interfaces, or where the interface's metric decides, 255.255.255.255 needs no route.
 * 3. Off: routes and memberships go, and the device carries nothing to everybody, in either direction.
 */
import { DISCOVERY_OFF, type DiscoveryView } from '../../protocol/discovery.ts';
import { type GameEntry, groupsOf, PROBE_GROUP } from '../core/discovery/games.ts';
import type { PeerKey } from '../core/room/contract.ts';
import type { BroadcastWay, ClockPort, DeviceEvent, DevicePort, LanPort, ProbeTimes } from '../ports.ts';
import { Announcer } from './announcer.ts';
import { SeenGames } from './seen-games.ts';

export interface DiscoveryOptions {
  clock: ClockPort;
  device: DevicePort;
  lan: LanPort | null;
  way: BroadcastWay;
  on: boolean;
  games: readonly GameEntry[];
  /** Whether an address is a member's. */
  inRoom(ip: string): boolean;
  /** Applies `addresses` and `routes` to the interface; `configured` follows. */
  configure(): void;
}

interface RoomAddress {
  ipv4: string;
  prefixLength: number;
  ipv6: string;
}

export class Discovery {
  readonly #options: DiscoveryOptions;
  readonly #seen: SeenGames;
  readonly #announcer: Announcer | null;
  #on: boolean;
  #address: RoomAddress | null = null;
  #stops: (() => void)[] = [];

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    this.#on = options.on;
    this.#seen = new SeenGames(options.clock, options.games);
    this.#announcer = options.lan && new Announcer({ clock: options.clock, lan: options.lan });
  }

  /** Of the interface, CIDR; empty before the room gave one. */
  get addresses(): string[] {
    const address = this.#address;
    return address === null ? [] : [`${address.ipv4}/${address.prefixLength}`, `${address.ipv6}/64`];
  }

  /** Beside the interface's own subnet: none while discovery is off. */
  get routes(): string[] {
    const { way } = this.#options;
    // Where the metric decides, it decides for groups as well.
    if (!this.#on || way === 'metric') return [];
    const limited = way === 'copies' ? [] : ['255.255.255.255/32'];
    return [...limited, ...this.#groups().map((group) => `${group}/32`)];
  }

  /** Whether this host's broadcasts leave by the interface before all others. */
  get first(): boolean {
    return this.#on && this.#options.way === 'metric';
  }

  addressed(ipv4: string, prefixLength: number, ipv6: string): void {
    this.#address = { ipv4, prefixLength, ipv6 };
    this.#options.configure();
  }

  set(on: boolean): void {
    if (on === this.#on) return;
    this.#on = on;
    if (this.#address === null) return;
    if (!on) this.#quiet();
    this.#options.configure();
  }

  /** The interface has what it was given. */
  configured(): void {
    this.stop();
    if (this.#address === null) return;
    const { device, lan, inRoom } = this.#options;
    const { ipv4, prefixLength } = this.#address;
    device.setFanout({ directedBroadcast: broadcastOf(ipv4, prefixLength), ownAddress: ipv4 });
    // Also while it is off: the device must know what is addressed to everybody, to keep it out.
    if (!this.#on) return device.setFanout(null);
    if (lan) this.#stops = [lan.join(this.#groups(), ipv4), lan.answerProbes(ipv4, inRoom)];
    this.#announcer?.start(ipv4);
  }

  heard(member: PeerKey, event: Extract<DeviceEvent, { type: 'discovery' }>): void {
    this.#seen.heard(member, event);
    if (event.peer === null) this.#announcer?.spoke(event);
    else this.#announcer?.heard(event);
  }

  /** Who answers a broadcast of this host, by address; nobody while discovery is off. */
  async check(): Promise<ReadonlyMap<string, ProbeTimes>> {
    return this.#on && this.#options.lan ? await this.#options.lan.probe() : new Map();
  }

  view(isHere: (member: PeerKey) => boolean): DiscoveryView {
    if (!this.#on) return DISCOVERY_OFF;
    const { sent, received, rateLimited, duplicates, loops } = this.#options.device.stats().fanout;
    return { way: this.#options.way, sent, received, rateLimited, duplicates, loops, games: this.#seen.view(isHere) };
  }

  /** Idempotent; `configured` begins again. */
  stop(): void {
    for (const stop of this.#stops) stop();
    this.#stops = [];
    this.#announcer?.stop();
  }

  #quiet(): void {
    this.#options.device.setFanout(null);
    this.stop();
  }

  #groups(): string[] {
    return [...groupsOf(this.#options.games), PROBE_GROUP];
  }
}

/** The last address of the subnet. */
export function broadcastOf(ipv4: string, prefixLength: number): string {
  const number = ipv4.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - prefixLength);
  const last = Math.floor(number / size) * size + size - 1;
  return [24, 16, 8, 0].map((shift) => Math.floor(last / 2 ** shift) % 256).join('.');
}
