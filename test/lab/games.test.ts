/** Every game's way of finding others, between three sites behind NATs, from ordinary sockets. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../until.ts';
import { type Member, RendezvousServer } from './cli.ts';
import { Player } from './games/player.ts';
import { GAME_ROWS, type GameRow } from './games/table.ts';
import { describeLab } from './requirements.ts';
import { bothOver, joinAll } from './room.ts';
import { startTopology, type Topology } from './topology.ts';

const NICKS = ['ann', 'bob', 'cleo'] as const;
/** A packet that no row sends; when it has come, what was sent before it has come or never will. */
const MARKER = '6d61726b6572';

let topology: Topology;
let server: RendezvousServer;
let members: Map<string, Member>;
const players = new Map<string, Player>();
const member = (nick: string) => members.get(nick) as Member;
const player = (nick: string) => players.get(nick) as Player;

/** The room's last address: a /20. */
function roomBroadcast(): string {
  const [a, b, c] = member('ann').ipv4.split('.').map(Number) as [number, number, number];
  return `${a}.${b}.${c | 15}.255`;
}

function destination(to: GameRow['to']): string {
  if (to === 'room') return roomBroadcast();
  return to;
}

describeLab('games in a room of three sites', () => {
  beforeAll(async () => {
    topology = await startTopology({
      sites: [
        { name: 'home', nat: 'port-restricted' },
        // Over the relay: UDP is blocked there.
        { name: 'office', nat: 'udp-blocked' },
        { name: 'flat', nat: 'full-cone' },
      ],
    });
    server = await RendezvousServer.start(topology.lab, topology.server);
    const hosts = topology.hosts;
    members = await joinAll(
      topology.lab,
      NICKS.map((nick, index) => ({ nick, namespace: hosts[index]!.namespace })),
      { room: 'games', password: 'warm-otter-beacon-42', servers: [server.url] },
    );
    for (const [index, nick] of NICKS.entries()) players.set(nick, new Player(topology.lab, hosts[index]!.namespace));
    await bothOver(member('ann'), member('bob'), ['relay']);
    await bothOver(member('ann'), member('cleo'), ['direct']);
  }, 300_000);

  afterEach(async () => {
    for (const one of players.values()) await one.close();
  });

  afterAll(async () => {
    await Promise.all([...members.values()].map((one) => one.stop()));
    await server?.stop();
    await topology?.close();
  });

  describe('is heard once by each, and its answers arrive', () => {
    it.each(GAME_ROWS.map((row) => [row.name, row] as const))('%s', async (_, row) => {
      const [ann, bob, cleo] = NICKS.map(player) as [Player, Player, Player];
      const group = /^2(?:24|39)\./.test(row.to) ? row.to : undefined;
      for (const listener of [bob, cleo]) for (const port of row.ports) await listener.listen(port, group);
      const order = { from: row.sourcePort, to: destination(row.to), ports: row.ports };
      await ann.send({ ...order, hex: row.hex });
      await until(
        `answers of two to ${row.ports.length} ports`,
        () => ann.answers.filter(({ hex }) => row.hex.startsWith(hex)).length >= 2 * row.ports.length,
        10_000,
      ).catch((error: Error) => {
        throw new Error(
          `${error.message}\n${JSON.stringify({ bob: bob.heard, cleo: cleo.heard, answers: ann.answers })}`,
        );
      });
      await ann.send({ ...order, hex: MARKER });
      for (const [listener, nick] of [
        [bob, 'bob'],
        [cleo, 'cleo'],
      ] as const) {
        await until(
          'the marker',
          () => listener.heard.filter(({ hex }) => hex === MARKER).length === row.ports.length,
          10_000,
        );
        const heard = listener.heard.filter(({ hex }) => hex !== MARKER);
        expect(heard.map(({ port }) => port).toSorted((a, b) => a - b)).toEqual([...row.ports]);
        for (const datagram of heard) {
          expect(datagram).toMatchObject({ ip: member('ann').ipv4, hex: row.hex.slice(0, 80) });
          if (row.sourcePort !== 0) expect(datagram.fromPort).toBe(row.sourcePort);
        }
        const answered = ann.answers.filter(({ ip, hex }) => ip === member(nick).ipv4 && hex !== MARKER);
        expect(answered.map(({ fromPort }) => fromPort).toSorted((a, b) => a - b)).toEqual([...row.ports]);
      }
    });
  });

  it('carries datagrams of 1,400 bytes to everybody, relay included, and back', async () => {
    const [ann, bob, cleo] = NICKS.map(player) as [Player, Player, Player];
    for (const listener of [bob, cleo]) await listener.listen(6112);
    await ann.send({ from: 6112, to: '255.255.255.255', ports: [6112], hex: 'ab'.repeat(1_400) });
    for (const listener of [bob, cleo]) {
      await until('1,400 bytes', () => listener.heard.some(({ size }) => size === 1_400), 10_000);
      await listener.send({ from: 6112, to: member('ann').ipv4, ports: [6112], hex: 'cd'.repeat(1_400) });
    }
    await until(
      'both ways',
      () => ann.heard.filter(({ size, hex }) => size === 1_400 && hex.startsWith('cd')).length === 2,
      10_000,
    );
  });
});
