/** Storms and loops: two members on one LAN whose programs repeat everything, a wire that duplicates, a member that floods. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { Snapshot } from '../../protocol/app.ts';
import { until } from '../until.ts';
import { type Member, RendezvousServer } from './cli.ts';
import { Player } from './games/player.ts';
import { describeLab } from './requirements.ts';
import { bothOver, joinAll } from './room.ts';
import { startTopology, type Topology } from './topology.ts';

const NICKS = ['ann', 'dan', 'bob', 'cleo'] as const;
const LIMITED = '255.255.255.255';
const MARKER = '6d61726b6572';

let topology: Topology;
let server: RendezvousServer;
let members: Map<string, Member>;
const players = new Map<string, Player>();
const member = (nick: string) => members.get(nick) as Member;
const player = (nick: string) => players.get(nick) as Player;

describeLab('storms in a room', () => {
  beforeAll(async () => {
    const link = { up: { duplicatePct: 30 }, down: { duplicatePct: 30 } };
    topology = await startTopology({
      sites: [
        { name: 'home', nat: 'port-restricted', hosts: 2, link },
        { name: 'office', nat: 'port-restricted', link },
        { name: 'flat', nat: 'full-cone' },
      ],
    });
    server = await RendezvousServer.start(topology.lab, topology.server);
    const hosts = topology.hosts;
    members = await joinAll(
      topology.lab,
      NICKS.map((nick, index) => ({ nick, namespace: hosts[index]!.namespace })),
      { room: 'storms', password: 'warm-otter-beacon-42', servers: [server.url] },
    );
    for (const [index, nick] of NICKS.entries()) players.set(nick, new Player(topology.lab, hosts[index]!.namespace));
    for (const nick of NICKS) {
      await member(nick).waitFor(
        'everybody',
        ({ peers }) => peers.filter((one) => one.state === 'connected').length === 3,
      );
    }
  }, 300_000);

  afterEach(async () => {
    for (const one of players.values()) await one.close();
  });

  afterAll(async () => {
    await Promise.all([...players.values()].map((one) => one.stop()));
    await Promise.all([...members.values()].map((one) => one.stop()));
    await server?.stop();
    await topology?.close();
  });

  it('what the wire duplicates is heard once', async () => {
    const [ann, bob, cleo] = [player('ann'), player('bob'), player('cleo')];
    for (const listener of [bob, cleo]) await listener.listen(6112);
    const said = Array.from({ length: 60 }, (_, index) => `0dd0${index.toString(16).padStart(4, '0')}`);
    for (const hex of said) await ann.send({ from: 6112, to: LIMITED, ports: [6112], hex });
    await ann.send({ from: 6112, to: LIMITED, ports: [6112], hex: MARKER });
    for (const listener of [bob, cleo]) {
      await until('the marker', () => listener.heard.some(({ hex }) => hex === MARKER), 10_000);
      expect(listener.heard.map(({ hex }) => hex).filter((hex) => hex !== MARKER)).toEqual(said);
    }
  });

  it('1,400 bytes reach everybody, those in the same LAN too, and one by one', async () => {
    const [ann, dan, bob] = [player('ann'), player('dan'), player('bob')];
    await bothOver(member('ann'), member('dan'), ['lan']);
    for (const listener of [dan, bob]) await listener.listen(6112);
    const wide = (listener: Player) => listener.heard.filter(({ size }) => size === 1_400);
    const own = member('ann').ipv4;
    await ann.send({ from: 6112, to: LIMITED, ports: [6112], hex: 'ab'.repeat(1_400) });
    for (const listener of [dan, bob]) {
      await until('1,400 bytes', () => wide(listener).some(({ ip }) => ip === own), 10_000);
    }
    await ann.send({ from: 6112, to: member('dan').ipv4, ports: [6112], hex: 'cd'.repeat(1_400) });
    await until('for one', () => wide(dan).some(({ ip, hex }) => ip === own && hex.startsWith('cd')), 10_000);
    expect(wide(bob).filter(({ hex }) => hex.startsWith('cd'))).toEqual([]);
  });

  it('two tunnels on one LAN, bridged by programs that repeat everything: bounded, counted, and one friend is still heard', async () => {
    const [bob, cleo] = [player('bob'), player('cleo')];
    const loops = async (nick: string) => (await member(nick).joined()).discovery.loops;
    const before = (await loops('ann')) + (await loops('dan'));
    for (const nick of ['ann', 'dan']) await player(nick).repeat(6120);
    await bob.listen(6121);
    await cleo.listen(6120);
    for (let i = 0; i < 20; i++) {
      await bob.send({ from: 0, to: LIMITED, ports: [6120], hex: `10090${i.toString(16).padStart(3, '0')}` });
    }
    // The LAN itself is full of it: nobody can help that. The room is not.
    await until(
      'echoes in the counters',
      async () => (await loops('ann')) + (await loops('dan')) - before >= 500,
      20_000,
    );
    await cleo.send({ from: 0, to: member('bob').ipv4, ports: [6121], hex: 'aa55aa55' });
    await until('the packet to one', () => bob.heard.some(({ hex }) => hex === 'aa55aa55'), 10_000);
    for (const nick of ['ann', 'dan']) await player(nick).close();
    await bob.send({ from: 0, to: LIMITED, ports: [6120], hex: MARKER });
    await until('the marker', () => cleo.heard.some(({ hex }) => hex === MARKER), 10_000);
    const echoes = cleo.heard.filter(({ ip }) => ip === member('ann').ipv4 || ip === member('dan').ipv4);
    expect(echoes.length).toBeLessThan(((await loops('ann')) + (await loops('dan')) - before) / 5);
  }, 60_000);

  it('a member that floods is named, its packets counted, and one friend is still heard', async () => {
    const [ann, bob, cleo] = [player('ann'), player('bob'), player('cleo')];
    for (const listener of [ann, bob]) await listener.listen(6112);
    await cleo.send({ from: 0, to: LIMITED, ports: [6112], hex: 'f100d0', repeat: 3_000 });
    await ann.send({ from: 6113, to: member('bob').ipv4, ports: [6112], hex: 'aa55aa55' });
    await until('the packet to one', () => bob.heard.some(({ hex }) => hex === 'aa55aa55'), 10_000);
    // The repeating programs of before may have been named as well.
    const ofCleo = ({ notices }: Snapshot) => notices.filter(({ code, nick }) => code === 'flood' && nick === 'cleo');
    const { peers } = await member('bob').waitFor('the notice', (snapshot) => ofCleo(snapshot).length > 0);
    const { broadcasts } = peers.find(({ nick }) => nick === 'cleo')!;
    expect(broadcasts!.received + broadcasts!.dropped).toBeGreaterThan(300);
    expect(bob.heard.filter(({ hex }) => hex.startsWith('f100d0')).length).toBeLessThan(2_000);
    expect(ofCleo(await member('bob').joined())).toHaveLength(1);
  });
});
