/**
 * `npm run soak:room [SECONDS] [SEED]`: a room of eight behind all kinds of NAT, the command itself, under churn, roaming, losses
 * and restarts. Again and again something breaks and is mended; then everyone must reach everyone. Three members and their
 * processes stay from the first second to the last: what they hold must not grow. Ends with 1 when somebody is lost or something
 * leaks.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as elapse } from 'node:timers/promises';
import type { PeerSnapshot } from '../../protocol/app.ts';
import { Member, RendezvousServer } from '../lab/cli.ts';
import { bothOver } from '../lab/room.ts';
import type { SiteSpec } from '../lab/topology.ts';
import { startTopology, type Topology } from '../lab/topology.ts';
import { createRandom } from '../sim/core/random.ts';
import { digits, table } from './figures.ts';
import { type Footprint, footprint } from './footprint.ts';

const SITES = [
  { name: 'ann', nat: 'port-restricted' },
  { name: 'bob', nat: 'symmetric-random' },
  { name: 'cleo', nat: 'udp-blocked' },
  { name: 'dan', nat: 'full-cone' },
  { name: 'eve', nat: 'port-restricted', ipv6: 'firewalled' },
  { name: 'fay', nat: 'symmetric-sequential', ipv6: 'firewalled' },
  { name: 'gus', nat: { kernel: 'masquerade', input: 'drop' } },
  { name: 'hana', nat: 'address-restricted' },
] as const satisfies readonly SiteSpec[];
type Nick = (typeof SITES)[number]['name'];
const NICKS = SITES.map(({ name }) => name);
/** Never restarted: an easy one, a hard one, and one that has the relay only. */
const STAYING: readonly Nick[] = ['ann', 'bob', 'cleo'];
/** With a NAT of the router's, which can be told to misbehave. */
const ROUTED: readonly Nick[] = NICKS.filter((nick) => nick !== 'gus');

/** A server's members come back within 45 s; this machine runs all eight of them, and what else it likes. */
const MENDED_MS = 120_000;
/** What a punch has opened is closed when it is over. */
const PUNCHES_OVER_MS = 240_000;
const ARRIVES_MS = 30_000;
/** Tuning: beyond what the heap of an engine breathes. */
const LEAK_MIB = 40;
/** A path's own socket for each of the others, and those that measure. */
const LEAK_DESCRIPTORS = 12;

/** Pings from the main sockets go on for ever where no direct path is found. */
const opensNothing = ({ punch }: PeerSnapshot) => punch === null || punch.strategy === 'simultaneous-open';

class Room {
  readonly history: string[] = [];
  readonly #topology: Topology;
  readonly #members = new Map<Nick, Member>();
  readonly #state: string;
  readonly #random;
  #server: RendezvousServer;
  #addresses = 0;

  private constructor(topology: Topology, server: RendezvousServer, state: string, seed: string) {
    this.#topology = topology;
    this.#server = server;
    this.#state = state;
    this.#random = createRandom(`room ${seed}`);
  }

  static async open(topology: Topology, state: string, seed: string): Promise<Room> {
    const room = new Room(topology, await RendezvousServer.start(topology.lab, topology.server), state, seed);
    for (const nick of NICKS) await room.#start(nick);
    return room;
  }

  /** One more thing that breaks; some mend by themselves. */
  async disturb(): Promise<void> {
    const { router } = this.#topology;
    const nick = this.#random.pick(ROUTED);
    const kinds: [string, () => Promise<void>][] = [
      ['leaves and comes back', () => this.#restart('SIGTERM')],
      ['is killed and comes back', () => this.#restart('SIGKILL')],
      [`${nick}'s router forgets`, () => router.flush(nick)],
      [`${nick}'s router restarts`, () => router.reboot(nick, { downMs: 2_000 })],
      [`${nick} gets another public address`, () => router.setExternal(nick, [this.#freshAddress()])],
      [`${nick}'s host moves within its network`, () => this.#move(nick)],
      [`${nick}'s line loses a fifth`, () => router.setLink(nick, { lossPct: 20 })],
      [`${nick}'s UDP dies on its way out`, () => router.block(nick, { direction: 'up', protocol: 'udp' })],
      [`${nick}'s UDP dies`, () => router.block(nick, { protocol: 'udp' })],
      ['the server restarts', () => this.#restartServer()],
    ];
    const [what, happens] = this.#random.pick(kinds);
    this.history.push(what);
    await happens();
    await elapse(this.#random.int(500, 6_000));
  }

  async mend(): Promise<void> {
    for (const nick of ROUTED) {
      await this.#topology.router.unblock(nick);
      await this.#topology.router.setLink(nick, { lossPct: 0 });
    }
    this.history.push('mended');
  }

  /** Everyone sees everyone, and the kernel's pings arrive. */
  async isWhole(): Promise<void> {
    const pairs = NICKS.flatMap((a, i) => NICKS.slice(i + 1).map((b) => [this.#member(a), this.#member(b)] as const));
    await Promise.all(pairs.map(([a, b]) => bothOver(a, b, ['lan', 'ipv6', 'direct', 'relay'], MENDED_MS)));
    for (const [a, b] of pairs) await this.#arrives(a, b);
  }

  /** Of the members that stay, when none of them punches. */
  async footprints(): Promise<Map<Nick, Footprint>> {
    const members = STAYING.map((nick) => [nick, this.#member(nick)] as const);
    await Promise.all(
      members.map(([, member]) =>
        member.waitFor('no punch', ({ peers }) => peers.every(opensNothing), PUNCHES_OVER_MS),
      ),
    );
    return new Map(members.map(([nick, { up }]) => [nick, footprint(up.pid)]));
  }

  /** Everyone leaves; what they leave behind. */
  async close(): Promise<string[]> {
    const left: string[] = [];
    for (const [nick, member] of this.#members) {
      const code = await member.stop();
      if (code !== 0) left.push(`${nick} ended with ${code}\n${member.story}`);
      const { stdout } = await this.#topology.lab.run(member.namespace, ['ip', '-o', 'link']);
      if (stdout.includes('warren')) left.push(`${nick} left its interface`);
    }
    await this.#server.stop();
    return left;
  }

  async #arrives(from: Member, to: Member): Promise<void> {
    const end = performance.now() + ARRIVES_MS;
    while ((await from.kernelPing(to.ipv4, 3)) === 0) {
      if (performance.now() > end) throw new Error(`nothing arrives\n${from.story}\n${to.story}`);
    }
  }

  #member(nick: Nick): Member {
    const member = this.#members.get(nick);
    if (member === undefined) throw new Error(`${nick} is not here`);
    return member;
  }

  async #start(nick: Nick): Promise<void> {
    const { lab } = this.#topology;
    const member = await Member.start(lab, this.#topology.site(nick).hosts[0]!.namespace, {
      nick,
      room: 'soak',
      password: 'warm-otter-beacon-42',
      servers: [this.#server.url],
      create: true,
      stateDir: join(this.#state, nick),
    });
    this.#members.set(nick, member);
    await member.joined(MENDED_MS);
  }

  async #restart(signal: NodeJS.Signals): Promise<void> {
    const nick = this.#random.pick(NICKS.filter((one) => !STAYING.includes(one)));
    this.history.push(nick);
    await this.#member(nick).stop(signal);
    await this.#start(nick);
  }

  async #restartServer(): Promise<void> {
    await this.#server.stop(this.#random.chance(0.5) ? 'SIGTERM' : 'SIGKILL');
    await elapse(this.#random.int(0, 5_000));
    this.#server = await RendezvousServer.start(this.#topology.lab, this.#topology.server);
  }

  #freshAddress(): string {
    return `203.0.113.${100 + (this.#addresses++ % 100)}`;
  }

  async #move(nick: Nick): Promise<void> {
    const { namespace, ipv4 } = this.#topology.site(nick).hosts[0]!;
    const network = ipv4.slice(0, ipv4.lastIndexOf('.'));
    await this.#topology.lab.script(`
ip -n ${namespace.name} -4 address flush dev eth0
ip -n ${namespace.name} address add ${network}.${this.#random.int(20, 200)}/24 dev eth0
ip -n ${namespace.name} route replace default via ${network}.1`);
  }
}

function leaks(before: ReadonlyMap<Nick, Footprint>, after: ReadonlyMap<Nick, Footprint>): string[] {
  return STAYING.flatMap((nick) => {
    const [was, is] = [before.get(nick)!, after.get(nick)!];
    return [
      is.rssMib > was.rssMib + LEAK_MIB && `${nick}'s memory: ${digits(was.rssMib)} became ${digits(is.rssMib)} MiB`,
      is.descriptors > was.descriptors + LEAK_DESCRIPTORS &&
        `${nick}'s descriptors: ${was.descriptors} became ${is.descriptors}`,
      is.threads > was.threads && `${nick}'s threads: ${was.threads} became ${is.threads}`,
    ].filter((text) => text !== false);
  });
}

async function soak(seconds: number, seed: string): Promise<string[]> {
  const topology = await startTopology({ sites: SITES });
  const state = await mkdtemp(join(tmpdir(), 'warren-soak-'));
  let room: Room | null = null;
  try {
    room = await Room.open(topology, state, seed);
    await room.isWhole();
    const random = createRandom(`soak ${seed}`);
    let rounds = 0;
    let warm: Map<Nick, Footprint> | null = null;
    for (const begin = performance.now(); performance.now() - begin < seconds * 1_000; rounds++) {
      for (let left = random.int(1, 5); left > 0; left--) await room.disturb();
      await room.mend();
      await room.isWhole();
      // The first round has allocated what is needed.
      warm ??= await room.footprints();
    }
    const last = await room.footprints();
    const foot = ({ rssMib, descriptors, threads }: Footprint) => `${digits(rssMib)} / ${descriptors} / ${threads}`;
    const rows = STAYING.map((nick) => [nick, foot(warm!.get(nick)!), foot(last.get(nick)!)]);
    process.stdout.write(`${rounds} rounds, ${room.history.length} events\n`);
    process.stdout.write(`${table([['MiB / descriptors / threads', 'after the first', 'at the end'], ...rows])}\n`);
    return [...leaks(warm!, last), ...(await room.close())];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error), ...(room?.history ?? [])];
  } finally {
    await topology.close();
    await rm(state, { recursive: true, force: true });
  }
}

const wrong = await soak(Number(process.argv[2] ?? 600), process.argv[3] ?? '1');
for (const line of wrong) process.stderr.write(`soak: ${line}\n`);
process.exitCode = wrong.length === 0 ? 0 : 1;
