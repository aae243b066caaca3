/**
 * `npm run soak:tunnel [SECONDS]`: two of our devices at full load, TCP both ways and a stream of small datagrams, while their keys
 * expire every three seconds. Says what was lost and who counted it, whether anything leaked and whether anything stood still;
 * ends with 1 when something is wrong.
 */
import { setTimeout } from 'node:timers/promises';
import { JsonLines } from '../lab/interop/json-lines.ts';
import { agingEnvironment, freshKeys, script } from '../lab/interop/pair.ts';
import type { Command, Report } from '../lab/interop/peer.ts';
import { Lab, type Namespace } from '../lab/netns.ts';
import { until } from '../until.ts';
import { digits, table } from './figures.ts';
import { type Footprint, footprint } from './footprint.ts';

/** Keys of 120 s live 3 s; rooms lose theirs after 4.5 s without a new one. */
const AGE_FACTOR = 40;
const REKEY_SECONDS = 120 / AGE_FACTOR;
const READY_MS = 30_000;
const SAMPLE_MS = 1_000;
const PINGS_A_SECOND = 20;
/** Tuning: beyond what allocators and the engine's heap breathe. */
const LEAK_MIB = 16;
/** Of the run: until then everything has been allocated that is needed. */
const WARM = 0.25;
/** Datagrams that the kernel joins to one, and counts as one when it drops them (UDP_MAX_SEGMENTS of older kernels). */
const MOST_JOINED = 64;
const PORT = 51_860;
const [inner, outer] = [
  ['10.98.4.1', '10.98.4.2'],
  ['10.99.0.1', '10.99.0.2'],
] as const;

type End = JsonLines<Command, Report>;

interface Sample {
  /** Data packets that each end has opened. */
  received: number[];
  footprints: Footprint[];
}

async function start(lab: Lab, namespaces: readonly Namespace[]): Promise<End[]> {
  const keys = [freshKeys(), freshKeys()];
  const ends = namespaces.map(
    (namespace) =>
      new JsonLines<Command, Report>(lab, namespace, [process.execPath, script('peer')], agingEnvironment(AGE_FACTOR)),
  );
  for (const [i, end] of ends.entries()) {
    await end.ask({
      do: 'start',
      privateKey: keys[i]!.privateKey,
      udpPort: PORT + i,
      addresses: [`${inner[i]}/24`],
      peer: { publicKey: keys[1 - i]!.publicKey, allowedIps: [`${inner[1 - i]}/32`], initiate: i === 0 },
    });
    await end.ask({ do: 'path', to: { ip: outer[1 - i]!, port: PORT + 1 - i } });
  }
  await until('a session', async () => (await ends[0]!.ask({ do: 'report' })).handshakes > 0, READY_MS);
  return ends;
}

async function sample(ends: readonly End[]): Promise<Sample> {
  const reports = await Promise.all(ends.map((end) => end.ask({ do: 'report' })));
  const received = reports.map(({ stats }) => stats.peers[0]?.rxPackets ?? 0);
  return { received, footprints: ends.map(({ pid }) => footprint(pid)) };
}

/** Datagrams that the kernel dropped before the socket of `port`. */
async function socketDrops(lab: Lab, namespace: Namespace, port: number): Promise<number> {
  const { stdout } = await lab.run(namespace, ['cat', '/proc/net/udp']);
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')} `;
  const line = stdout.split('\n').find((text) => text.includes(local));
  return Number(line?.trim().split(/\s+/).at(-1) ?? Number.NaN);
}

interface Direction {
  sent: number;
  received: number;
  /** What did not arrive and was counted: by the sender's and the receiver's device, and by the receiver's kernel (joined ones as one). */
  sender: number;
  receiver: number;
  kernel: number;
  /** Small packets that the sender's queue dropped: it never should. */
  express: number;
}

async function directions(lab: Lab, namespaces: readonly Namespace[], ends: readonly End[]): Promise<Direction[]> {
  const reports = await Promise.all(ends.map((end) => end.ask({ do: 'report' })));
  return Promise.all(
    [0, 1].map(async (from) => {
      const [source, target] = [reports[from]!.stats, reports[1 - from]!.stats];
      return {
        sent: source.peers[0]!.txPackets,
        received: target.peers[0]!.rxPackets,
        sender: source.txDropped,
        receiver: target.queue.receiveDropped + target.datagramsRejected,
        kernel: await socketDrops(lab, namespaces[1 - from]!, PORT + 1 - from),
        express: source.queue.expressDropped,
      };
    }),
  );
}

interface Load {
  /** Gbit/s, out and back; as long as this takes something has to arrive all the time. */
  tcp: Promise<number[]>;
  /** Sent, and answered before the end. */
  pings: Promise<number[]>;
}

function load(lab: Lab, near: Namespace, seconds: number): Load {
  const timeoutMs = (seconds + 60) * 1_000;
  const transfer = async () => {
    const argv = ['iperf3', '-J', '-c', inner[1], '-t', String(seconds), '-P', '2', '--bidir'];
    const { end } = JSON.parse((await lab.run(near, argv, { timeoutMs })).stdout) as {
      end: Record<'sum_received' | 'sum_received_bidir_reverse', { bits_per_second: number }>;
    };
    return [end.sum_received, end.sum_received_bidir_reverse].map(({ bits_per_second: bits }) => bits / 1e9);
  };
  const pings = async () => {
    const argv = ['ping', '-q', '-i', String(1 / PINGS_A_SECOND), '-w', String(seconds), inner[1]];
    const { stdout } = await lab.run(near, argv, { timeoutMs });
    const [, sent, answered] = /(\d+) packets transmitted, (\d+) received/.exec(stdout) ?? [];
    return [Number(sent), Number(answered)];
  };
  return { tcp: transfer(), pings: pings() };
}

/** Samples until `busy` has ended. */
async function watch(ends: readonly End[], busy: Promise<unknown>): Promise<Sample[]> {
  const samples: Sample[] = [];
  const ended = busy.then(
    () => true,
    () => true,
  );
  do samples.push(await sample(ends));
  while (!(await Promise.race([ended, setTimeout(SAMPLE_MS, false)])));
  return samples;
}

/** Packets that arrived at this end in each second; the first and the last two are of the time when iperf greets and counts. */
function stepsOf(samples: readonly Sample[], end: number): number[] {
  return samples.slice(1, -2).map(({ received }, i) => received[end]! - samples[i]!.received[end]!);
}

/** What is wrong, in words. */
function findings(
  seconds: number,
  handshakes: number,
  samples: readonly Sample[],
  ways: readonly Direction[],
): string[] {
  const out: string[] = [];
  if (handshakes < seconds / REKEY_SECONDS / 2) out.push(`only ${handshakes} handshakes in ${seconds} s`);
  for (const end of [0, 1]) {
    const steps = stepsOf(samples, end);
    const stalls = steps.filter((step) => step === 0).length;
    if (stalls > 0) out.push(`nothing arrived at end ${end} in ${stalls} of ${steps.length} seconds`);
  }
  const [warm, last] = [samples[Math.floor(samples.length * WARM)], samples.at(-1)];
  for (const [i, now] of (last?.footprints ?? []).entries()) {
    const before = warm!.footprints[i]!;
    if (now.descriptors > before.descriptors) out.push(`descriptors: ${before.descriptors} became ${now.descriptors}`);
    if (now.threads > before.threads) out.push(`threads: ${before.threads} became ${now.threads}`);
    if (now.rssMib > before.rssMib + LEAK_MIB)
      out.push(`memory: ${digits(before.rssMib)} became ${digits(now.rssMib)} MiB`);
  }
  for (const { sent, received, sender, receiver, kernel, express } of ways) {
    if (express > 0) out.push(`${express} small packets dropped by the queue`);
    if (sent - received > sender + receiver + kernel * MOST_JOINED)
      out.push(`${sent - received} packets lost, not all of them counted`);
  }
  return out;
}

async function soak(seconds: number): Promise<string[]> {
  const lab = Lab.open();
  try {
    const namespaces = (await lab.namespaces(['near', 'far'])) as [Namespace, Namespace];
    const [near, far] = namespaces;
    await lab.script(`
      ip -n ${near.name} link add wan type veth peer name wan netns ${far.name}
      ip -n ${near.name} address add ${outer[0]}/24 dev wan && ip -n ${near.name} link set wan up
      ip -n ${far.name} address add ${outer[1]}/24 dev wan && ip -n ${far.name} link set wan up`);
    const ends = await start(lab, namespaces);
    const server = lab.spawn(far, ['iperf3', '-s', '--forceflush']);
    await until('iperf listens', () => server.output.includes('listening'), READY_MS);
    const busy = load(lab, near, seconds);
    const samples = await watch(ends, busy.tcp);
    const [gbit, pings] = await Promise.all([busy.tcp, busy.pings]);
    const { handshakes, failures, stats } = await ends[0]!.ask({ do: 'report' });
    const ways = await directions(lab, namespaces, ends);
    const steps = [0, 1].flatMap((end) => stepsOf(samples, end));
    const foot = (at: Sample | undefined) => at?.footprints.map(({ rssMib }) => digits(rssMib)).join(' and ') ?? '';
    const rows = [
      ['', 'figure'],
      ['TCP out and back, Gbit/s', gbit.map(digits).join(' and ')],
      ['handshakes', String(handshakes)],
      ['pings, sent and answered', pings.join(' and ')],
      ['packets a second at one end, least and most', `${Math.min(...steps)} and ${Math.max(...steps)}`],
      [
        'resident, MiB, warm and at the end',
        `${foot(samples[Math.floor(samples.length * WARM)])}; ${foot(samples.at(-1))}`,
      ],
      ['dropped by the queue, small and bulk', `${stats.queue.expressDropped} and ${stats.queue.bulkDropped}`],
      ...ways.map(({ sent, received, sender, receiver, kernel }, i) => [
        i === 0 ? 'out: sent, lost' : 'back: sent, lost',
        `${sent}, ${sent - received} (full socket ${sender}, receiver ${receiver}, its socket ${kernel})`,
      ]),
    ];
    process.stdout.write(`${table(rows)}\n`);
    return [...findings(seconds, handshakes, samples, ways), ...failures];
  } finally {
    await lab.close();
  }
}

const wrong = await soak(Number(process.argv[2] ?? 600));
for (const line of wrong) process.stderr.write(`soak: ${line}\n`);
process.exitCode = wrong.length === 0 ? 0 : 1;
