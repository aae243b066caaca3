/** What goes wrong in a room, at random; `repair` mends all of it at once. */
import type { Random } from '../core/random.ts';
import type { Member } from '../member.ts';
import type { Packet } from '../net/packet.ts';
import type { Site, World } from '../world.ts';

/** A draining server ends after this. */
const DRAIN_MS = 2_000;

type Loss = (packet: Packet) => boolean;

export class Disturbances {
  readonly #world: World;
  readonly #random: Random;
  readonly #losses = new Set<Loss>();
  readonly #unplugged = new Set<Member>();
  /** What happened, for the report of a failing run. */
  readonly history: string[] = [];

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
    world.internet.lose = (packet) => [...this.#losses].some((loses) => loses(packet));
  }

  /** One more, of a random kind. */
  next(): void {
    const kinds = [
      () => this.#leave(),
      () => this.#leave(),
      () => this.#stall(),
      () => this.#router(),
      () => this.#router(),
      () => this.#server(),
      () => this.#path(),
      () => this.#path(),
      () => this.#weather(),
      () => this.#unplug(),
    ];
    const what = this.#random.pick(kinds)();
    this.history.push(`${this.#world.timeline.now().toFixed(0)} ${what}`);
  }

  /** Everyone is here, every server runs, nothing is lost but what the lines lose. */
  repair(): void {
    this.#losses.clear();
    for (const member of this.#unplugged) this.#plug(member, true);
    for (const server of this.#world.servers) {
      server.start();
      this.#world.timeline.after(DRAIN_MS + 1, () => server.start());
    }
    // Whoever comes while no server is there is told so, and ends.
    this.#world.timeline.after(DRAIN_MS + 2, () => {
      for (const member of this.#world.members) if (!member.running) member.start();
    });
    this.history.push(`${this.#world.timeline.now().toFixed(0)} repaired`);
  }

  #leave(): string {
    const member = this.#member();
    if (!member.running) {
      member.start();
      return `${member.nick} comes back`;
    }
    if (this.#random.chance(0.5)) member.stop();
    else member.kill();
    return `${member.nick} leaves`;
  }

  #stall(): string {
    const member = this.#member();
    const ms = this.#random.int(100, 8_000);
    member.thread.stall(ms);
    return `${member.nick}'s main thread is blocked for ${ms} ms`;
  }

  #router(): string {
    const site = this.#site();
    if (site.nats.length === 0) return 'nobody has a router';
    const nat = this.#random.pick(site.nats);
    const kind = this.#random.pick(['flush', 'reboot', 'address'] as const);
    if (kind === 'reboot') nat.reboot(this.#random.int(500, 8_000));
    else if (kind === 'address' && nat === site.nats.at(-1)) nat.changeAddresses([this.#freshAddress()]);
    else nat.flush();
    return `${nat.name}: ${kind}`;
  }

  #freshAddress(): string {
    for (;;) {
      const address = `198.18.${this.#random.int(0, 255)}.${this.#random.int(1, 254)}`;
      if (!this.#world.internet.owns(address)) return address;
    }
  }

  #server(): string {
    const server = this.#random.pick(this.#world.servers);
    const ms = this.#random.int(200, 60_000);
    if (this.#random.chance(0.3)) server.drain(DRAIN_MS);
    else server.die();
    this.#world.timeline.after(DRAIN_MS + ms, () => server.start());
    return `${server.address} is down for ${ms} ms`;
  }

  /** Between two sites, or all that one sends to the others; not to servers. */
  #path(): string {
    const [from, to] = [this.#site(), this.#site()];
    const oneWay = this.#random.chance(0.4);
    const dies: Loss = ({ src, dst }) => {
      const leaves = owns(from, src.ip) && (from === to ? !dst.ip.startsWith('203.0.113.') : owns(to, dst.ip));
      return leaves || (!oneWay && owns(to, src.ip) && owns(from, dst.ip));
    };
    return this.#lose(
      dies,
      this.#random.int(500, 30_000),
      `the ${oneWay ? 'way out' : 'path'} of ${from.nats[0]?.name}`,
    );
  }

  #weather(): string {
    const share = 0.05 + this.#random.float() * 0.25;
    return this.#lose(() => this.#random.chance(share), this.#random.int(1_000, 20_000), `${share.toFixed(2)} of all`);
  }

  #lose(loses: Loss, ms: number, what: string): string {
    this.#losses.add(loses);
    this.#world.timeline.after(ms, () => this.#losses.delete(loses));
    return `${what} is lost for ${ms} ms`;
  }

  /** A cable, or a lid: the host hears nothing and is told nothing. */
  #unplug(): string {
    const member = this.#member();
    const ms = this.#random.int(500, 40_000);
    this.#plug(member, false);
    this.#world.timeline.after(ms, () => this.#plug(member, true));
    return `${member.nick} is unplugged for ${ms} ms`;
  }

  #plug(member: Member, up: boolean): void {
    if (up) this.#unplugged.delete(member);
    else this.#unplugged.add(member);
    const attachment = member.host.route('203.0.113.10')?.attachment;
    if (attachment === undefined) return;
    attachment.up.up = up;
    attachment.down.up = up;
  }

  #member(): Member {
    return this.#random.pick(this.#world.members);
  }

  /** One with a router. */
  #site(): Site {
    const sites = this.#world.sites.filter(({ nats }) => nats.length > 0);
    return this.#random.pick(sites.length > 0 ? sites : this.#world.sites);
  }
}

function owns(site: Site, ip: string): boolean {
  return site.nats.at(-1)?.addresses.includes(ip) === true;
}
