/**
 * Links that swallow what is too big for them, without a word. Every size must arrive all the same: datagrams with DF and without,
 * and TCP, also a transfer that began before the link became narrow.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../until.ts';
import { type Member, RendezvousServer } from './cli.ts';
import { Probe } from './conformance/probe.ts';
import { describeLab } from './requirements.ts';
import { bothOver, joinAll } from './room.ts';
import { startTopology, type Topology } from './topology.ts';

/** The holes, widest first: a path that becomes narrower is noticed in seconds, one that becomes wider in ten minutes. */
const holes = [1_492, 1_452, 1_400, 1_372, 1_280] as const;
/** What fits the narrowest hole: the players' TCP to the server must not be what this test tests. */
const serverSegment = 1_180;
const gamePort = 6_112;

interface Pair {
  readonly a: Member;
  readonly b: Member;
  /** Site whose link is narrow. */
  readonly narrow: string;
}

describeLab('a link that swallows big packets', () => {
  let topology: Topology;
  let server: RendezvousServer;
  let members: Map<string, Member>;
  const probes = new Map<string, Probe>();
  const texts = new Set<string>();

  beforeAll(async () => {
    topology = await startTopology({
      sites: [
        { name: 'ann', nat: 'port-restricted' },
        { name: 'bob', nat: 'port-restricted' },
        { name: 'cat', nat: 'port-restricted' },
        { name: 'six', nat: 'symmetric-random', ipv6: 'firewalled' },
        { name: 'six-2', nat: 'symmetric-random', ipv6: 'firewalled' },
        { name: 'tcp', nat: 'udp-blocked' },
      ],
    });
    await topology.lab.script(
      [topology.server.namespace, ...topology.hosts.map(({ namespace }) => namespace)]
        .map(({ name }) => `ip -n ${name} route change $(ip -n ${name} route show default) advmss ${serverSegment}`)
        .join('\n'),
    );
    server = await RendezvousServer.start(topology.lab, topology.server);
    const players = topology.hosts.map(({ name, namespace }) => ({ nick: name, namespace }));
    members = await joinAll(topology.lab, players, {
      room: 'narrow',
      password: 'warm-otter-beacon-42',
      servers: [server.url],
    });
    for (const [nick, member] of members) {
      const probe = new Probe(topology.lab, member.namespace);
      await probe.open('game', { port: gamePort });
      probes.set(nick, probe);
    }
  }, 300_000);

  afterAll(async () => {
    await Promise.all([...probes.values()].map((probe) => probe.stop()));
    await Promise.all([...(members?.values() ?? [])].map((member) => member.stop()));
    await topology?.close();
  });

  const pairOf = (a: string, b: string): Pair => ({ a: members.get(a)!, b: members.get(b)!, narrow: a });

  /** Whether a datagram of this many bytes arrives: one of three, because a busy machine may lose or delay one. */
  async function arrives(from: Member, to: Member, bytes: number): Promise<boolean> {
    for (let attempt = 0; attempt < 3; attempt++) {
      const text = `${texts.size} `.padEnd(bytes, 'warren');
      texts.add(text);
      const arrival = probes.get(to.nick)!.arrival('game', text);
      await probes.get(from.nick)!.send('game', { address: to.ipv4, port: gamePort }, text);
      if ((await arrival) !== null) return true;
    }
    return false;
  }

  /** Answers to pings of the TUN's full size that must not be fragmented on their way. */
  async function fullSizePings(from: Member, to: Member, count: number): Promise<number> {
    const argv = ['ping', '-n', '-M', 'do', '-s', '1392', '-c', String(count), '-i', '0.05', '-W', '2', to.ipv4];
    const { stdout } = await topology.lab.run(from.namespace, argv);
    return Number(/(\d+) received/.exec(stdout)?.[1] ?? 0);
  }

  /** Bytes that iperf3's receiver got. */
  async function transfer(from: Member, to: Member, ...options: string[]): Promise<number> {
    const receiver = topology.lab.spawn(to.namespace, ['iperf3', '-s', '-1', '-B', to.ipv4]);
    await until('iperf3 listens', async () => {
      const { stdout } = await topology.lab.run(to.namespace, ['ss', '-ltnH', 'sport = :5201']);
      return stdout.includes('5201');
    });
    const { stdout } = await topology.lab.run(from.namespace, ['iperf3', '-c', to.ipv4, '-J', ...options]);
    await receiver.exited;
    return (JSON.parse(stdout) as { end?: { sum_received?: { bytes: number } } }).end?.sum_received?.bytes ?? 0;
  }

  const mtuOf = (member: Member, other: Member) => member.peer(other.nick)?.path?.mtu;

  /** Datagrams before transfers: what saturates a relay costs others packets, and is meant to. */
  async function everySizeArrives({ a, b }: Pair): Promise<void> {
    const ways = [
      [a, b],
      [b, a],
    ] as const;
    for (const [from, to] of ways) {
      for (const bytes of [8, 1_200, 1_392, 1_400, 4_000]) {
        expect(await arrives(from, to, bytes), `${bytes} bytes from ${from.nick}\n${from.story}`).toBe(true);
      }
      expect(await fullSizePings(from, to, 5), from.story).toBeGreaterThan(0);
    }
    for (const [from, to] of ways) {
      // iperf3 ends when all is handed to the kernel: what is still under way is not counted.
      expect(await transfer(from, to, '-n', '8M')).toBeGreaterThanOrEqual(2 << 20);
    }
  }

  it('lets a transfer go on that began when the link was wide', async ({ task }) => {
    // A path that has become wider is not noticed for ten minutes: a second try needs one that was not narrow before.
    const { a, b, narrow } = pairOf('cat', (task.result?.retryCount ?? 0) === 0 ? 'bob' : 'ann');
    await topology.router.setLink(narrow, { mtu: 65_535 });
    await bothOver(a, b, ['direct'], 60_000);
    await a.waitFor('an MTU of 1,500', () => mtuOf(a, b) === 1_500);
    const whole = transfer(a, b, '-t', '10', '-b', '8M');
    await until('the transfer runs', () => (a.peer(b.nick)?.txBytes ?? 0) > 500_000, 10_000);
    await topology.router.setLink(narrow, { mtu: 1_400, mtuIcmp: false });
    // All that 8 Mbit/s make in ten seconds: what was held up is sent later.
    expect(await whole).toBeGreaterThan(8_000_000);
    await a.waitFor('an MTU of 1,400', () => mtuOf(a, b) === 1_400);
  });

  describe.each([
    ['direct', 'ann', 'bob'],
    ['ipv6', 'six', 'six-2'],
  ] as const)('on a path of kind %s', (kind, nickA, nickB) => {
    it('begins with what an Ethernet carries', async () => {
      const { a, b } = pairOf(nickA, nickB);
      await bothOver(a, b, [kind], 60_000);
      await a.waitFor('an MTU of 1,500', () => mtuOf(a, b) === 1_500);
      await everySizeArrives(pairOf(nickA, nickB));
    });

    it.each(holes)('of %i bytes', async (mtu) => {
      const { a, b, narrow } = pairOf(nickA, nickB);
      const { lab, router } = topology;
      await router.setLink(narrow, { mtu, mtuIcmp: false });
      // A game goes on meanwhile: that is what a narrow link is noticed by.
      const game = lab.spawn(a.namespace, ['ping', '-n', '-i', '0.2', b.ipv4]);
      await Promise.all([
        a.waitFor(`an MTU of ${mtu}`, () => mtuOf(a, b) === mtu),
        b.waitFor(`an MTU of ${mtu}`, () => mtuOf(b, a) === mtu),
      ]);
      await game.stop('SIGINT');
      await everySizeArrives(pairOf(nickA, nickB));
      expect(a.peer(b.nick)?.path?.kind).toBe(kind);
    });
  });

  it('carries every size over the relay', async () => {
    const pair = pairOf('tcp', 'six');
    await bothOver(pair.a, pair.b, ['relay']);
    await everySizeArrives(pair);
  });
});
