/**
 * A whole world from one seed: the Internet, servers, sites with their NATs, and members with real engines. What must
 * hold in every run is checked by `check`.
 */
import type { CryptoRequest, CryptoResult } from '../../engine/core/room/contract.ts';
import type { EngineOptions } from '../../engine/options.ts';
import { createRandom, type Random } from './core/random.ts';
import { Timeline } from './core/timeline.ts';
import { Deliveries } from './deliveries.ts';
import { violationsOf } from './invariants.ts';
import { Member } from './member.ts';
import { Host } from './net/host.ts';
import type { LinkOptions } from './net/link.ts';
import { Nat, type NatOptions } from './net/nat.ts';
import { Segment } from './net/segment.ts';
import { fakeCrypto } from './ports.ts';
import { SimServer } from './server.ts';

export interface SiteOptions {
  /** From the members outwards; none (default): the members have public addresses. */
  nats?: NatOptions[];
  /** Nicknames; default one. */
  members?: string[];
  /** Members have public IPv6 addresses too, behind the router's firewall; `only`: nothing else, and a NAT64 for IPv4. */
  ipv6?: boolean | 'only';
  /** Access line, each way. Default 10 ms. */
  link?: LinkOptions;
  /** Outside addresses of the outermost NAT. Default 1. */
  poolSize?: number;
}

export interface WorldOptions {
  seed: number | string;
  sites: SiteOptions[];
  /** Default one server with one address. */
  servers?: { twoAddresses?: boolean; link?: LinkOptions }[];
  /** Default `fakeCrypto`. */
  compute?: (request: CryptoRequest) => CryptoResult | Promise<CryptoResult>;
  /** For every member. */
  options?: Partial<EngineOptions>;
}

/** Snapshots are built anew at each look, and published ten times a second at most. */
const POLL_MS = 25;
/** Routers on the way between any two sites. */
const INTERNET_HOPS = 6;

export interface Site {
  lan: Segment;
  /** From the members outwards. */
  nats: Nat[];
  members: Member[];
  /** Of its access line, one way. */
  loss: number;
}

export class World {
  readonly timeline = new Timeline();
  readonly random: Random;
  readonly internet: Segment;
  readonly servers: SimServer[];
  readonly sites: Site[] = [];
  readonly members: Member[] = [];
  readonly deliveries = new Deliveries();
  readonly #options: WorldOptions;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.random = createRandom(options.seed);
    this.internet = new Segment(this.timeline, this.random, 'internet', INTERNET_HOPS);
    this.servers = (options.servers ?? [{}]).map((server, i) => this.#server(server, i));
    for (const [i, site] of options.sites.entries()) this.#site(site, i);
  }

  /** The member of this nickname. */
  member(nick: string): Member {
    const found = this.members.find((member) => member.nick === nick);
    if (found === undefined) throw new Error(`nobody is called ${nick}`);
    return found;
  }

  /** Starts every member within `spreadMs`, in an order of the seed's choice. */
  async joinAll(spreadMs = 0): Promise<void> {
    for (const member of this.members) {
      if (spreadMs === 0) member.start();
      else this.timeline.after(this.random.float() * spreadMs, () => member.start());
    }
    await this.timeline.runFor(spreadMs);
  }

  runFor(ms: number): Promise<void> {
    return this.timeline.runFor(ms);
  }

  /** Fails the test when the condition does not hold within `limitMs`. */
  async until(what: string, condition: () => boolean, limitMs: number): Promise<void> {
    if (!(await this.timeline.until(condition, limitMs, POLL_MS))) {
      throw new Error(`not within ${limitMs} ms: ${what}\n${this.describe()}`);
    }
  }

  /** Every ordered pair of running members. */
  pairs(): [Member, Member][] {
    const running = this.members.filter((member) => member.running);
    return running.flatMap((a) => running.filter((b) => b !== a).map((b): [Member, Member] => [a, b]));
  }

  allConnected(): boolean {
    return this.pairs().every(([a, b]) => a.connectedTo(b));
  }

  allDirect(): boolean {
    return this.pairs().every(([a, b]) => a.directTo(b));
  }

  /** Game packets in both directions of every pair, one each `everyMs`, until one of each has arrived. */
  async everyoneReachesEveryone(limitMs = 10_000, everyMs = 100): Promise<void> {
    const begin = this.timeline.now();
    const waiting = () =>
      this.pairs().filter(
        ([a, b]) =>
          !this.deliveries
            .between(a.nick, b.nick)
            .some(({ sentAt, arrivedAt }) => sentAt >= begin && arrivedAt !== null),
      );
    for (let next = begin; waiting().length > 0; next += everyMs) {
      for (const [a, b] of waiting()) a.send(b);
      await this.timeline.runUntil(next + everyMs);
      if (this.timeline.now() - begin > limitMs) {
        const lost = waiting().map(([a, b]) => `${a.nick} to ${b.nick}`);
        throw new Error(`nothing arrives: ${lost.join(', ')}\n${this.describe()}`);
      }
    }
  }

  /** A flow of packets, one each `everyMs`, from now until `stop` is called. */
  flow(from: Member, to: Member, everyMs: number): { stop(): void } {
    let running = true;
    const next = () => {
      if (!running) return;
      if (from.running && to.running) from.send(to);
      this.timeline.after(everyMs, next);
    };
    next();
    return {
      stop: () => {
        running = false;
      },
    };
  }

  /** What holds in every run, whatever happened. */
  check(): void {
    const violations = violationsOf(this);
    if (violations.length > 0) throw new Error(`${violations.join('\n')}\n${this.describe()}`);
  }

  /** Who sees whom, and how: for messages of failed runs. */
  describe(): string {
    const lines = this.members.map((member) => {
      if (!member.running) return `${member.nick}: not running (${member.ended?.message ?? 'stopped'})`;
      const { state, self, peers } = member.snapshot();
      const seen = peers.map(
        (p) => `${p.nick} ${p.state} ${p.path?.kind ?? '-'} ${p.path?.remote ?? ''} ${p.reason ?? ''}`,
      );
      return `${member.nick}: ${state} ${self?.nat.type} ${self?.nat.mapping}/${self?.nat.filtering}; ${seen.join('; ')}`;
    });
    return [`at ${this.timeline.now().toFixed(0)} ms`, ...lines].join('\n');
  }

  /** Ends every engine; nothing of this world goes on. */
  close(): void {
    for (const member of this.members) member.kill();
  }

  #server({ twoAddresses, link }: NonNullable<WorldOptions['servers']>[number], index: number): SimServer {
    const host = new Host(`server ${index}`, this.random);
    const address = `203.0.113.${10 + 10 * index}`;
    const alternateAddress = `203.0.113.${11 + 10 * index}`;
    host.connect(this.internet, address, link ?? { delayMs: 5 });
    if (twoAddresses) host.connect(this.internet, alternateAddress, link ?? { delayMs: 5 });
    const { timeline, random } = this;
    return new SimServer({
      timeline,
      random,
      host,
      address,
      ...(twoAddresses ? { alternateAddress } : {}),
    });
  }

  #site(options: SiteOptions, index: number): void {
    const nats: Nat[] = [];
    const line = options.link ?? { delayMs: 10 };
    const lan = options.nats?.length ? this.#routers(options, index, nats, line) : this.internet;
    const site: Site = { lan, nats, members: [], loss: line.loss ?? 0 };
    for (const [i, nick] of (options.members ?? [`m${index}`]).entries()) {
      const host = new Host(nick, this.random);
      if (nats.length === 0) host.connect(lan, publicAddress(index, i), line);
      else if (options.ipv6 !== 'only') host.connect(lan, `192.168.1.${2 + i}`, { delayMs: 0.2 });
      if (options.ipv6) {
        const address = `2001:db8:${index + 1}::${2 + i}`;
        host.connect(lan, address, nats.length === 0 ? line : { delayMs: 0.2 });
        for (const nat of nats) nat.routeIpv6(address);
      }
      const member = new Member(nick, host, {
        timeline: this.timeline,
        random: this.random,
        servers: this.servers,
        deliveries: this.deliveries,
        nat64: options.ipv6 === 'only',
        compute: this.#options.compute ?? fakeCrypto,
        options: this.#options.options ?? {},
      });
      site.members.push(member);
      this.members.push(member);
    }
    this.sites.push(site);
  }

  /** Builds the chain from the Internet inwards; the innermost LAN is the members'. */
  #routers(options: SiteOptions, index: number, nats: Nat[], line: LinkOptions): Segment {
    const chain = options.nats ?? [];
    let outside = this.internet;
    for (const [depth, natOptions] of chain.toReversed().entries()) {
      const name = `site ${index} nat ${depth}`;
      const inside = new Segment(this.timeline, this.random, name);
      const nat64 = options.ipv6 === 'only' && depth === 0;
      const nat = new Nat(this.timeline, this.random, name, { ...natOptions, ...(nat64 ? { nat64 } : {}) });
      const pool = Array.from({ length: options.poolSize ?? 1 }, (_, i) => publicAddress(index, i));
      nat.attachOutside(
        outside,
        depth === 0 ? pool : [`100.64.${index}.${1 + depth}`],
        depth === 0 ? line : { delayMs: 1 },
      );
      nat.attachInside(inside, depth === chain.length - 1 ? '192.168.1.1' : `100.64.${index}.1`, { delayMs: 0.2 });
      nats.unshift(nat);
      outside = inside;
    }
    return outside;
  }
}

/** Ten for each site, from 198.51.100.10 upwards. */
function publicAddress(site: number, index: number): string {
  const number = 10 * (site + 1) + index;
  return `198.51.${100 + Math.floor(number / 250)}.${number % 250}`;
}

export function createWorld(options: WorldOptions): World {
  return new World(options);
}
