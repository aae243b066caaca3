/** Every game's way of finding others, between three sites behind NATs, from ordinary sockets. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Snapshot } from '../../protocol/app.ts';
import { until } from '../until.ts';
import { firstLine, Member, RendezvousServer, warren } from './cli.ts';
import { FIND_SERVER, SERVER_RESPONSE, startOpenTtd } from './games/openttd.ts';
import { Player } from './games/player.ts';
import { GAME_ROWS, type GameRow } from './games/table.ts';
import type { Namespace } from './netns.ts';
import { describeLab } from './requirements.ts';
import { bothOver, joinAll } from './room.ts';
import { startTopology, type Topology } from './topology.ts';

const NICKS = ['ann', 'bob', 'cleo'] as const;
/** A packet that no row sends; when it has come, what was sent before it has come or never will. */
const MARKER = '6d61726b6572';

/** Cleo has no right to hear what leaves by other interfaces: hers has the route instead. */
const WITHOUT_CAPTURE = ['setpriv', '--bounding-set=-net_raw', '--inh-caps=-net_raw'];

const HOME = 'ip -j addr; ip -j rule; ip -j route show table all; ip -j maddr';
/** Of addresses and routes that run out. */
const TIMERS = ['valid_life_time', 'preferred_life_time', 'expires'];

/** A game's TCP side: says back what it hears, and its port on standard output. */
const TCP_ECHO = `const server = require('node:net').createServer((socket) => socket.pipe(socket));
  server.listen(0, '0.0.0.0', () => console.log(JSON.stringify(server.address())));`;
/** A game that connects: prints what comes back, or \`refused\`. */
const TCP_ASK = `const [, host, port] = process.argv;
  const socket = require('node:net').connect({ host, port: Number(port) });
  let heard = '';
  socket.on('data', (bytes) => { heard += bytes; if (heard === 'played') socket.end(); });
  socket.on('error', () => {});
  socket.on('close', () => process.stdout.write(heard === 'played' ? heard : 'refused'));
  socket.write('played');`;

/** A game that people added to the table themselves. */
const OWN_GAME = { name: 'Hex Wars', ports: [[9000, 9002]], group: '239.1.2.3', host: ['4845'] };
const OWN_ROW: GameRow = {
  name: 'a game that people added',
  to: '239.1.2.3',
  ports: [9001],
  sourcePort: 0,
  hex: '4845',
};
const ROOM = { room: 'games', password: 'warm-otter-beacon-42' };

let folder: string;
let topology: Topology;
let server: RendezvousServer;
let members: Map<string, Member>;
/** What was in the namespaces before Warren came. */
const homesBefore = new Map<string, string[]>();
const players = new Map<string, Player>();
const member = (nick: string) => members.get(nick) as Member;
const player = (nick: string) => players.get(nick) as Player;

/** The room's last address: a /20. */
function roomBroadcast(): string {
  const [a, b, c] = member('ann').ipv4.split('.').map(Number) as [number, number, number];
  return `${a}.${b}.${c | 15}.255`;
}

/** Of the network card that Ann's games see: a /24. */
function homeBroadcast(): string {
  return topology.hosts[0]!.ipv4.replace(/\.\d+$/, '.255');
}

/** All that a home network sees of a host: addresses, rules, routes and memberships, without those of the tunnel. */
async function homeOf(namespace: Namespace): Promise<string[]> {
  const { stdout } = await topology.lab.run(namespace, ['sh', '-c', HOME]);
  const [addresses, rules, routes, groups] = stdout.trim().split('\n') as [string, string, string, string];
  type Row = { ifname?: string; dev?: string };
  return [addresses, rules, routes, groups]
    .flatMap((json) => JSON.parse(json) as Row[])
    .filter(({ ifname, dev }) => !`${ifname ?? ''}${dev ?? ''}`.includes('warren'))
    .map((row) => JSON.stringify(row, (key, value: unknown) => (TIMERS.includes(key) ? undefined : value)))
    .toSorted();
}

function destination(to: GameRow['to']): string {
  if (to === 'room') return roomBroadcast();
  if (to === 'lan') return homeBroadcast();
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
    folder = await mkdtemp(join(tmpdir(), 'warren-games-'));
    for (const [index, nick] of NICKS.entries()) {
      homesBefore.set(nick, await homeOf(hosts[index]!.namespace));
      await mkdir(join(folder, nick), { mode: 0o700 });
      await writeFile(join(folder, nick, 'games.json'), JSON.stringify([OWN_GAME]));
    }
    members = await joinAll(
      topology.lab,
      NICKS.map((nick, index) => ({
        nick,
        namespace: hosts[index]!.namespace,
        stateDir: join(folder, nick),
        ...(nick === 'cleo' && { wrapper: WITHOUT_CAPTURE }),
      })),
      { ...ROOM, servers: [server.url] },
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
    await rm(folder, { recursive: true, force: true });
  });

  /** From one member to the two others: each hears it once, from its source, and both answers come back. */
  async function isHeardOnce(row: GameRow, from: string): Promise<void> {
    const sender = player(from);
    const others = NICKS.filter((nick) => nick !== from);
    // The host's own broadcast comes back to it, as on any LAN.
    const friends = others.map((nick) => member(nick).ipv4);
    const group = /^2(?:24|39)\./.test(row.to) ? row.to : undefined;
    for (const nick of others) for (const port of row.ports) await player(nick).listen(port, group);
    const order = { from: row.sourcePort, to: destination(row.to), ports: row.ports };
    await sender.send({ ...order, hex: row.hex });
    const answers = () => sender.answers.filter(({ ip, hex }) => friends.includes(ip) && row.hex.startsWith(hex));
    await until(
      `answers of two to ${row.ports.length} ports`,
      () => answers().length >= 2 * row.ports.length,
      10_000,
    ).catch((error: Error) => {
      const heard = Object.fromEntries(NICKS.map((nick) => [nick, player(nick).heard]));
      throw new Error(`${error.message}\n${JSON.stringify({ heard, answers: sender.answers })}`);
    });
    await sender.send({ ...order, hex: MARKER });
    for (const nick of others) {
      const listener = player(nick);
      const markers = () => listener.heard.filter(({ hex }) => hex === MARKER);
      await until('the marker', () => markers().length === row.ports.length, 10_000);
      const heard = listener.heard.filter(({ hex }) => hex !== MARKER);
      expect(heard.map(({ port }) => port).toSorted((a, b) => a - b)).toEqual([...row.ports]);
      for (const datagram of heard) {
        expect(datagram).toMatchObject({ ip: member(from).ipv4, hex: row.hex.slice(0, 80) });
        if (row.sourcePort !== 0) expect(datagram.fromPort).toBe(row.sourcePort);
      }
      const answered = sender.answers.filter(({ ip, hex }) => ip === member(nick).ipv4 && hex !== MARKER);
      expect(answered.map(({ fromPort }) => fromPort).toSorted((a, b) => a - b)).toEqual([...row.ports]);
    }
  }

  describe('is heard once by each, and its answers arrive', () => {
    const rows = [...GAME_ROWS, OWN_ROW].map((row) => [row.name, row] as const);
    it.each(rows)('%s', async (_, row) => {
      await isHeardOnce(row, 'ann');
    });

    // One of each kind: to everybody, to a group, to the room's own broadcast.
    const kinds = ['Warcraft III', 'Minecraft Java', 'OpenTTD, by the tunnel'];
    it.each(rows.filter(([name]) => kinds.includes(name)))('%s, also over the relay and by a route', async (_, row) => {
      await isHeardOnce(row, 'bob');
      for (const nick of NICKS) await player(nick).close();
      await isHeardOnce(row, 'cleo');
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
    ).catch((error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify({ ann: ann.heard, bob: bob.heard, cleo: cleo.heard })}`);
    });
  });

  it('a real game: the server of OpenTTD answers who searches the home network only', async () => {
    const [ann] = NICKS.map(player) as [Player];
    const game = await startOpenTtd(topology.lab, member('bob').namespace);
    try {
      const order = { from: 0, to: homeBroadcast(), ports: [3979], hex: FIND_SERVER };
      const answers = () => ann.heard.filter(({ hex }) => hex === SERVER_RESPONSE);
      await ann.send(order);
      await until('the answer', () => answers().length > 0, 10_000);
      expect(answers()).toMatchObject([{ ip: member('bob').ipv4, fromPort: 3979 }]);
    } finally {
      await game.stop();
    }
  }, 90_000);

  it('lists who hosts what, with the address to type', async () => {
    const motd = Buffer.from('[MOTD]ann - world[/MOTD][AD]51234[/AD]').toString('hex');
    const { self } = await member('ann').joined();
    for (const nick of ['bob', 'cleo']) {
      const shows = ({ discovery }: Snapshot) =>
        discovery.games.some(({ name, title }) => name === 'Minecraft' && title === 'ann - world');
      let found: Snapshot | undefined;
      // Minecraft says it every 1.5 s.
      await until(
        'the game',
        async () => {
          await player('ann').send({ from: 0, to: '224.0.2.60', ports: [4445], hex: motd });
          found = await member(nick)
            .waitFor('the game', shows, 1_500)
            .catch(() => undefined);
          return found !== undefined;
        },
        20_000,
      );
      const { discovery } = found as Snapshot;
      expect(discovery.games.find(({ name }) => name === 'Minecraft')).toMatchObject({
        member: self?.publicKey,
        role: 'hosting',
        address: `${member('ann').ipv4}:51234`,
      });
    }
  });

  it('lists games that people added', async () => {
    const { self } = await member('ann').joined();
    const { name } = OWN_GAME;
    const { to, ports, hex } = OWN_ROW;
    const shows = ({ discovery }: Snapshot) =>
      discovery.games.some((game) => game.name === name && game.role === 'hosting' && game.member === self?.publicKey);
    // Of many packets a few are looked at.
    await until('the game', async () => {
      await player('ann').send({ from: 0, to, ports, hex: `${hex}00` });
      return await member('cleo')
        .waitFor(name, shows, 1_500)
        .then(
          () => true,
          () => false,
        );
    });
  });

  it('a game that joined its group elsewhere is told by this host, and plays over a port of its own', async () => {
    const [ann, bob] = NICKS.map(player) as [Player, Player];
    const { lab, hosts } = topology;
    const [home, office] = [hosts[0]!, hosts[1]!];
    const game = lab.spawn(home.namespace, [process.execPath, '-e', TCP_ECHO]);
    try {
      const { port } = JSON.parse(await firstLine(game, (line) => line.includes('port'))) as { port: number };
      await bob.listen(4445, '224.0.2.60', office.ipv4);
      const announcement = `[MOTD]ann - w[/MOTD][AD]${port}[/AD]`;
      // Told by this host: from the address on which the game listens.
      const told = () => bob.heard.find(({ ip }) => ip === office.ipv4);
      const announce = () =>
        ann.send({ from: 0, to: '224.0.2.60', ports: [4445], hex: Buffer.from(announcement).toString('hex') });
      // Minecraft says it every 1.5 s.
      await until('the announcement', async () => {
        if (told()) return true;
        await announce();
        return await until('one', () => told() !== undefined, 1_500).then(
          () => true,
          () => false,
        );
      });
      const said = Buffer.from(told()!.hex, 'hex').toString();
      const own = Number(/^\[MOTD\]ann - w\[\/MOTD\]\[AD\](\d+)/.exec(said)?.[1]);
      expect(own).not.toBe(port);
      const ask = (from: Namespace) => lab.run(from, [process.execPath, '-e', TCP_ASK, office.ipv4, String(own)]);
      expect((await ask(office.namespace)).stdout).toBe('played');
      // Only this host's programs may use it.
      const gateway = topology.sites[1]!.gateway;
      if (gateway === null) throw new Error('the office has no gateway');
      expect((await ask(gateway)).stdout).toBe('refused');
      // The friend has closed the world: nothing is said, and the port goes.
      await until('no port', async () => (await ask(office.namespace)).stdout === 'refused', 20_000);
    } finally {
      await game.stop();
    }
  }, 60_000);

  it('a world that is opened here is told to the home network as before, from the address there', async () => {
    const { lab, hosts, sites } = topology;
    const gateway = sites[1]!.gateway;
    if (gateway === null) throw new Error('the office has no gateway');
    const neighbour = new Player(lab, gateway);
    try {
      const { stdout } = await lab.run(gateway, ['ip', '-j', 'route', 'get', hosts[1]!.ipv4]);
      const [{ prefsrc }] = JSON.parse(stdout) as [{ prefsrc: string }];
      await neighbour.listen(4445, '224.0.2.60', prefsrc);
      const hex = Buffer.from('[MOTD]bob - w[/MOTD][AD]40404[/AD]').toString('hex');
      const told = () => neighbour.heard.find((one) => one.hex === hex);
      await until('the neighbour', async () => {
        if (told()) return true;
        await player('bob').send({ from: 0, to: '224.0.2.60', ports: [4445], hex });
        return await until('one', () => told() !== undefined, 1_500).then(
          () => true,
          () => false,
        );
      });
      expect(told()!.ip).toBe(hosts[1]!.ipv4);
    } finally {
      await neighbour.stop();
    }
  }, 60_000);

  it('the doctor says how calls get out, who hears them how soon, and which game on this host cannot', async () => {
    await player('ann').send({ from: 6112, bind: topology.hosts[0]!.ipv4, to: roomBroadcast(), ports: [9], hex: '00' });
    const { stdout } = await warren(topology.lab, member('ann').namespace, [
      'doctor',
      '--json',
      '--state-dir',
      member('ann').stateDir,
    ]);
    const lines = stdout.split('\n').filter((line) => line.includes('"discovery"'));
    const findings = lines.map((line) => JSON.parse(line) as { result: string; detail: string });
    const hears = (nick: string) => new RegExp(`^${nick}: broadcast heard after .*, multicast heard after `);
    expect(findings).toEqual([
      {
        check: 'discovery',
        result: 'ok',
        detail: expect.stringMatching(/copied into the room.*\d+ sent, \d+ received/),
      },
      { check: 'discovery', result: 'note', detail: expect.stringContaining(`${topology.hosts[0]!.ipv4}:6112 alone`) },
      { check: 'discovery', result: 'ok', detail: expect.stringMatching(hears('bob')) },
      { check: 'discovery', result: 'ok', detail: expect.stringMatching(hears('cleo')) },
    ]);
  });

  describe('storms', () => {
    it('a flood is bounded and counted, and packets to one friend are not hurt', async () => {
      const [ann, bob, cleo] = NICKS.map(player) as [Player, Player, Player];
      for (const listener of [bob, cleo]) await listener.listen(6112);
      const before = (await member('ann').joined()).discovery;
      await ann.send({ from: 0, to: '255.255.255.255', ports: [6112], hex: 'f100d0', repeat: 5_000 });
      await cleo.send({ from: 6113, to: member('bob').ipv4, ports: [6112], hex: 'aa55aa55' });
      await until('the packet to one', () => bob.heard.some(({ hex }) => hex === 'aa55aa55'), 10_000);
      const { discovery } = await member('ann').waitFor(
        'the flood in the counters',
        ({ discovery: now }) => now.sent + now.rateLimited - before.sent - before.rateLimited >= 4_900,
      );
      expect(discovery.rateLimited - before.rateLimited).toBeGreaterThan(2_000);
      expect(bob.heard.length).toBeLessThan(2_500);
    });

    it('a program that says everything again feeds no loop', async () => {
      const [ann, bob] = NICKS.map(player) as [Player, Player, Player];
      const before = (await member('bob').joined()).discovery;
      await bob.repeat(6120);
      for (let i = 0; i < 20; i++) {
        await ann.send({
          from: 6120,
          to: '255.255.255.255',
          ports: [6120],
          hex: `10090${i.toString(16).padStart(3, '0')}`,
        });
      }
      const { discovery } = await member('bob').waitFor(
        'the echoes in the counters',
        ({ discovery: now }) => now.loops - before.loops >= 1_000,
      );
      await ann.listen(6121);
      await bob.send({ from: 0, to: '255.255.255.255', ports: [6121], hex: MARKER });
      await until('the marker', () => ann.heard.some(({ hex }) => hex === MARKER), 10_000);
      const echoes = ann.heard.filter(({ ip, port }) => port === 6120 && ip === member('bob').ipv4);
      expect(echoes.length).toBeLessThan((discovery.loops - before.loops) / 5);
    });
  });

  describe('switched off', () => {
    const routes = async () => {
      const { stdout } = await topology.lab.run(member('cleo').namespace, ['ip', 'route', 'show', 'table', 'all']);
      // What the kernel derives from the interface's own address is not the home network's.
      return stdout
        .split('\n')
        .filter(
          (line) =>
            !/ dev warren\d+ .*(?:proto kernel|table local)|^$/.test(line) && !/dev warren\d+ table local/.test(line),
        );
    };
    const mine = (lines: string[]) => lines.filter((line) => line.includes('warren'));
    const set = async (state: 'on' | 'off') => {
      const argv = ['set', 'discovery', state, '--state-dir', member('cleo').stateDir];
      expect((await warren(topology.lab, member('cleo').namespace, argv)).code).toBe(0);
    };

    it('leaves no route of its own, and takes them away and back', async () => {
      expect((await member('ann').joined()).discovery.way).toBe('copies');
      expect((await member('cleo').joined()).discovery.way).toBe('routes');
      const { stdout: annRoutes } = await topology.lab.run(member('ann').namespace, ['ip', 'route']);
      expect(annRoutes).not.toContain('255.255.255.255');
      await until('the routes', async () => mine(await routes()).some((line) => line.startsWith('255.255.255.255')));
      await set('off');
      await until('no routes', async () => mine(await routes()).length === 0);
      await member('cleo').waitFor('off', ({ settings, discovery }) => !settings.discovery && discovery.way === 'off');
      const [ann, , cleo] = NICKS.map(player) as [Player, Player, Player];
      await cleo.listen(6112);
      await player('bob').listen(6112);
      await ann.send({ from: 6112, to: '255.255.255.255', ports: [6112], hex: '0ff0' });
      await until('bob hears', () => player('bob').heard.some(({ hex }) => hex === '0ff0'), 10_000);
      await ann.send({ from: 6112, to: member('cleo').ipv4, ports: [6112], hex: '0111' });
      await until('cleo hears what is for her', () => cleo.heard.some(({ hex }) => hex === '0111'), 10_000);
      expect(cleo.heard.map(({ hex }) => hex)).toEqual(['0111']);
      await set('on');
      await until('the routes again', async () => mine(await routes()).length > 0);
    });

    it('nothing of the home network is another than before Warren came, also after kill -9 and the next start', async () => {
      const cleo = member('cleo');
      const { namespace, stateDir } = cleo;
      const asBefore = async () => expect(await homeOf(namespace)).toEqual(homesBefore.get('cleo'));
      expect(await homeOf(member('ann').namespace)).toEqual(homesBefore.get('ann'));
      await asBefore();
      await cleo.stop('SIGKILL');
      await until('the interface is gone', async () => mine(await routes()).length === 0);
      await asBefore();
      const again = { nick: 'cleo', ...ROOM, servers: [server.url], stateDir, wrapper: WITHOUT_CAPTURE };
      members.set('cleo', await Member.start(topology.lab, namespace, again));
      await member('cleo').waitFor('the routes', ({ discovery }) => discovery.way === 'routes', 60_000);
      await asBefore();
      await set('off');
      await until('no routes', async () => mine(await routes()).length === 0);
      await member('cleo').stop();
      await asBefore();
    });
  });
});
