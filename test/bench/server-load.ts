/**
 * Load of the rendezvous server on loopback: how fast a crowd is in, what a member costs, how much one core relays.
 * `node build/test/bench/server-load.js [members]`; bounded to about half a minute.
 */
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { encodeFrame, FRAME_RELAY } from '../../protocol/server.ts';
import { digits, quantile, table } from './figures.ts';
import type { ServerUsage } from './server-process.ts';

const MEMBERS_PER_ROOM = 8;
/** Handshakes under way at once while the crowd joins. */
const JOINING_AT_ONCE = 200;
const RELAY_PAIRS = 4;
const RELAY_MS = 3_000;
/** Frames under way of one pair: below every queue bound. */
const WINDOW_FRAMES = 64;
const ROUND_TRIPS = 2_000;

const SERVER = fileURLToPath(
  new URL(`./server-process${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
);

interface LoadServer {
  url: string;
  usage(): Promise<ServerUsage>;
  close(): void;
}

interface Member {
  id: string;
  socket: WebSocket;
}

/** A table of figures; `count` members in rooms of eight. */
export async function benchServerLoad(count: number): Promise<string> {
  const server = await startLoadServer();
  const members: Member[] = [];
  try {
    const rows = [['what', 'figure']];
    const empty = await server.usage();
    const startedAt = performance.now();
    await joinCrowd(server.url, count, members);
    const seconds = (performance.now() - startedAt) / 1_000;
    const full = await server.usage();
    rows.push([
      `${count} members in ${Math.ceil(count / MEMBERS_PER_ROOM)} rooms, all welcomed`,
      `${digits(seconds)} s`,
    ]);
    rows.push(['server CPU time a join', `${digits((full.cpuUs - empty.cpuUs) / count)} µs`]);
    rows.push(['server memory', `${digits(full.rssBytes / 2 ** 20)} MiB`]);
    for (const bytes of [1_500, 1_250, 200]) rows.push(...(await relayRows(server, members, bytes)));
    rows.push(...(await roundTripRows(members)));
    return table(rows);
  } finally {
    for (const { socket } of members) socket.terminate();
    server.close();
  }
}

async function startLoadServer(): Promise<LoadServer> {
  const child = fork(SERVER, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return {
    url: `ws://127.0.0.1:${port}/v1`,
    async usage() {
      child.send('usage');
      const [usage] = (await once(child, 'message')) as [ServerUsage];
      return usage;
    },
    close: () => child.disconnect(),
  };
}

async function joinCrowd(url: string, count: number, members: Member[]): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const room = Math.floor(next++ / MEMBERS_PER_ROOM);
      members.push(await join(url, room));
    }
  };
  await Promise.all(Array.from({ length: JOINING_AT_ONCE }, worker));
}

async function join(url: string, room: number): Promise<Member> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  await once(socket, 'open');
  const topic = room.toString(16).padStart(64, '0');
  socket.send(JSON.stringify({ t: 'hello', versions: [1], topic, session: randomBytes(16).toString('hex') }));
  const [welcome] = (await once(socket, 'message')) as [Buffer];
  return { socket, id: (JSON.parse(welcome.toString()) as { member: string }).member };
}

/** Two fresh members of one room that have allowed each other. */
async function pairOf(url: string): Promise<[Member, Member]> {
  const room = randomBytes(4).readUInt32BE() + 2 ** 40;
  const [a, b] = [await join(url, room), await join(url, room)];
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    from.socket.send(JSON.stringify({ t: 'allow', member: to.id }));
    from.socket.ping();
    await once(from.socket, 'pong');
  }
  return [a, b];
}

async function relayRows(server: LoadServer, members: Member[], bytes: number): Promise<string[][]> {
  const pairs = await Promise.all(Array.from({ length: RELAY_PAIRS }, () => pairOf(server.url)));
  members.push(...pairs.flat());
  const before = await server.usage();
  const startedAt = performance.now();
  const counts = await Promise.all(pairs.map(([from, to]) => stream(from, to, bytes, startedAt + RELAY_MS)));
  const seconds = (performance.now() - startedAt) / 1_000;
  const after = await server.usage();
  const received = counts.reduce((sum, count) => sum + count, 0);
  const cpuSeconds = (after.cpuUs - before.cpuUs) / 1e6;
  const rates = (divisor: number) =>
    `${digits(received / divisor)} frames/s, ${digits((received * bytes * 8) / 1e6 / divisor)} Mbit/s`;
  return [
    [`relay of ${bytes} bytes, ${RELAY_PAIRS} pairs`, rates(seconds)],
    ['the same by server CPU time', `${rates(cpuSeconds)} a core`],
  ];
}

/** Frames received by then; the sender keeps a window ahead, so that nothing is dropped and every frame counts. */
async function stream(from: Member, to: Member, bytes: number, until: number): Promise<number> {
  const frame = encodeFrame({ type: FRAME_RELAY, member: to.id, payload: new Uint8Array(bytes).fill(4) });
  let sent = 0;
  let received = 0;
  const fill = () => {
    while (sent - received < WINDOW_FRAMES && performance.now() < until) {
      from.socket.send(frame);
      sent++;
    }
  };
  return new Promise((resolve) => {
    to.socket.on('message', () => {
      received++;
      if (sent - received <= WINDOW_FRAMES / 2) fill();
      if (received === sent) resolve(received);
    });
    fill();
  });
}

/** One frame at a time, there and back, while the crowd is idle. */
async function roundTripRows(members: Member[]): Promise<string[][]> {
  const [a, b] = members.slice(-2) as [Member, Member];
  const [there, back] = [b, a].map(({ id }) =>
    encodeFrame({ type: FRAME_RELAY, member: id, payload: new Uint8Array(100).fill(4) }),
  ) as [Uint8Array, Uint8Array];
  b.socket.removeAllListeners('message');
  b.socket.on('message', () => b.socket.send(back));
  const times: number[] = [];
  for (let n = 0; n < ROUND_TRIPS; n++) {
    const sentAt = performance.now();
    a.socket.send(there);
    await once(a.socket, 'message');
    times.push(performance.now() - sentAt);
  }
  const figure = `p50 ${digits(quantile(times, 0.5))} ms, p99 ${digits(quantile(times, 0.99))} ms`;
  return [['relay round trip, 100 bytes, ends in one process', figure]];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${await benchServerLoad(Number(process.argv[2] ?? 2_000))}\n`);
}
