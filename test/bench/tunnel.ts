/**
 * Throughput, datagrams, round trips and processor time of the native device, Debian's wireguard-go, a pipe with a static key
 * (tunnel-pipe.cc) and the raw link between two namespaces, interleaved round by round, so that a noisy machine disturbs all
 * alike.
 */
import { readFileSync } from 'node:fs';
import { Lab, type LabProcess, type Namespace } from '../lab/netns.ts';
import { digits, median, medianRatio, quantile, table } from './figures.ts';
import { ping, type Turns, takeTurn } from './round-trips.ts';
import { type Contestant, startContestants } from './tunnel-ends.ts';

/** Turns a round, so short that what disturbs the machine disturbs neighbours alike. */
const TURNS = 4;
const TCP_SECONDS = 2;
/**
 * Of which the last one counts: iperf3 begins with a datagram of a few bytes, and for a second after such a one our device does
 * for bulk what it does beside a game.
 */
const DATAGRAM_SECONDS = 2;
const PINGS = 400;
/** As long as the pings beside it. */
const LOAD_SECONDS = 4;
/** Of idle round trips, a round. */
const IDLE_TURNS = 10;
const DATAGRAM_SIZES = [64, 300, 1_300];
/** Of _SC_CLK_TCK: what /proc counts processor time in. */
const TICKS_A_SECOND = 100;

interface Sample {
  tcpOutGbit: number;
  tcpBackGbit: number;
  /** Received a second, by DATAGRAM_SIZES. */
  datagrams: number[];
  /** Of the tunnel's processes at both ends, while TCP ran out. */
  cpuSecondsPerGbit: number;
}

export async function benchTunnel(rounds: number): Promise<string> {
  const lab = Lab.open();
  try {
    const [near, far] = (await lab.namespaces(['near', 'far'])) as [Namespace, Namespace];
    lab.spawn(far, ['iperf3', '-s', '-J']);
    const contestants = await startContestants(lab, near, far);
    const samples = new Map<string, Sample[]>(contestants.map(({ name }) => [name, []]));
    const loaded = new Map<string, Turns>(contestants.map(({ name }) => [name, []]));
    const idle = new Map<string, Turns>();
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < IDLE_TURNS; turn++) await takeTurn(lab, near, contestants, idle);
      for (let turn = 0; turn < TURNS; turn++) {
        for (const one of contestants) samples.get(one.name)?.push(await measure(lab, near, one));
      }
      for (const { name, target } of contestants) {
        const load = iperf(lab, near, target, LOAD_SECONDS);
        const [micros] = await Promise.all([ping(lab, near, target, PINGS), load]);
        loaded.get(name)?.push(micros);
      }
    }
    return report(samples, idle, loaded);
  } finally {
    await lab.close();
  }
}

interface IperfReport {
  end: { sum_received: { bits_per_second: number; bytes: number } };
  /** With --get-server-output: what the far end has received, second by second. */
  server_output_json: { intervals: { sum: { bytes: number; seconds: number } }[] };
}

async function iperf(
  lab: Lab,
  near: Namespace,
  target: string,
  seconds: number,
  ...options: string[]
): Promise<IperfReport> {
  const { stdout } = await lab.run(near, ['iperf3', '-J', '-c', target, '-t', String(seconds), ...options]);
  return JSON.parse(stdout) as IperfReport;
}

/** Received a second, of as many as one iperf3 sends. */
async function datagramRate(lab: Lab, near: Namespace, target: string, size: number): Promise<number> {
  const flood = ['-u', '-b', '0', '-l', String(size), '--get-server-output'];
  const { server_output_json: received } = await iperf(lab, near, target, DATAGRAM_SECONDS, ...flood);
  const { bytes, seconds } = received.intervals[DATAGRAM_SECONDS - 1]?.sum ?? { bytes: Number.NaN, seconds: 1 };
  return bytes / size / seconds;
}

async function measure(lab: Lab, near: Namespace, { target, ends }: Contestant): Promise<Sample> {
  const cpuBefore = cpuSeconds(ends);
  const out = (await iperf(lab, near, target, TCP_SECONDS)).end.sum_received;
  const cpu = cpuSeconds(ends) - cpuBefore;
  const back = (await iperf(lab, near, target, TCP_SECONDS, '-R')).end.sum_received;
  const datagrams: number[] = [];
  for (const size of DATAGRAM_SIZES) datagrams.push(await datagramRate(lab, near, target, size));
  return {
    tcpOutGbit: out.bits_per_second / 1e9,
    tcpBackGbit: back.bits_per_second / 1e9,
    datagrams,
    cpuSecondsPerGbit: cpu / ((out.bytes * 8) / 1e9),
  };
}

/** User and system time so far. */
function cpuSeconds(processes: readonly LabProcess[]): number {
  let ticks = 0;
  for (const { pid } of processes) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / TICKS_A_SECOND;
}

/** A figure of one contestant by rounds (or turns): those of one place belong together. */
type Column = [title: string, figures: (name: string) => number[]];

/** Two tables: what is carried, and what it costs. The ratios are the medians of those of each round. */
function report(
  samples: ReadonlyMap<string, readonly Sample[]>,
  idle: ReadonlyMap<string, Turns>,
  loaded: ReadonlyMap<string, Turns>,
): string {
  const of = (pick: (sample: Sample) => number) => (name: string) => (samples.get(name) ?? []).map(pick);
  const ofTurns = (turns: ReadonlyMap<string, Turns>, p: number) => (name: string) =>
    (turns.get(name) ?? []).map((turn) => quantile(turn, p));
  const names = [...samples.keys()];
  const throughput = ratios(names, [
    ['TCP out, Gbit/s', of((sample) => sample.tcpOutGbit)],
    ['TCP back, Gbit/s', of((sample) => sample.tcpBackGbit)],
    ...DATAGRAM_SIZES.map(
      (size, i): Column => [`UDP ${size} B, datagrams/s`, of((sample) => sample.datagrams[i] ?? Number.NaN)],
    ),
  ]);
  const cost = ratios(names, [
    ['RTT idle p50, us', ofTurns(idle, 0.5)],
    ['p95, us', ofTurns(idle, 0.95)],
    ['RTT beside TCP p50, us', ofTurns(loaded, 0.5)],
    ['p99, us', ofTurns(loaded, 0.99)],
    ['processor, s/Gbit', of((sample) => sample.cpuSecondsPerGbit)],
  ]);
  return `In brackets: ratio to wireguard-go, and to the pipe.\n\n${throughput}\n\n${cost}`;
}

function ratios(names: readonly string[], columns: readonly Column[]): string {
  return table([
    ['', ...columns.map(([title]) => title)],
    ...names.map((name) => [
      name,
      ...columns.map(([, figures]) => {
        const ratio = (to: string) => digits(medianRatio(figures(name), figures(to)));
        return `${digits(median(figures(name)))} (${ratio('wireguard-go')}, ${ratio('static-key pipe')})`;
      }),
    ]),
  ]);
}
