/** `warren ping`: end-to-end probes over the path in use. */
import { pingResult } from '../../protocol/app.ts';
import { WarrenError } from '../../protocol/errors.ts';
import { type Io, pause } from '../io.ts';
import { connect, type StateOptions, stateDirOf } from '../state.ts';
import { printable } from '../view/printable.ts';
import { isDirect, milliseconds, PATH_WORDS } from '../view/words.ts';

export interface PingArguments extends StateOptions {
  count: number;
  json?: boolean;
}

const INTERVAL_MS = 1_000;
const TIMEOUT_MS = 2_000;
/** The engine answers `timeout` itself; this only covers a stuck one. */
const ANSWER_TIMEOUT_MS = TIMEOUT_MS + 3_000;

/** Exit code 0 when at least one probe came back. */
export async function ping(peer: string, asked: PingArguments, io: Io): Promise<number> {
  const interrupted = io.interrupted();
  const client = await connect(stateDirOf(asked));
  const times: number[] = [];
  let sent = 0;
  try {
    while (sent < asked.count && !interrupted.aborted) {
      const begun = performance.now();
      const seq = ++sent;
      try {
        const answer = await client.request(
          { type: 'ping', peer, timeoutMs: TIMEOUT_MS },
          { timeoutMs: ANSWER_TIMEOUT_MS },
        );
        const result = pingResult.parse(answer);
        times.push(result.rttMs);
        io.out(asked.json ? JSON.stringify({ seq, ...result }) : probeLine(seq, result));
      } catch (error) {
        if (!(error instanceof WarrenError) || !isLoss(error)) throw error;
        io.out(asked.json ? JSON.stringify({ seq, error: error.code }) : `${seq}: no answer (${error.code})`);
      }
      if (sent < asked.count) await pause(INTERVAL_MS - (performance.now() - begun), interrupted);
    }
  } finally {
    client.close();
  }
  const summary = statistics(sent, times);
  io.out(asked.json ? JSON.stringify(summary) : summaryLine(summary));
  return times.length > 0 ? 0 : 1;
}

const isLoss = (error: WarrenError) => error.code === 'timeout' || error.code === 'unreachable';

function probeLine(seq: number, result: ReturnType<typeof pingResult.parse>): string {
  const who = `${printable(result.nick)} (${result.ipv4 ?? 'no address yet'})`;
  const how = isDirect(result.path) ? PATH_WORDS[result.path] : `over ${PATH_WORDS[result.path]}`;
  return `${seq}: ${who} answered in ${milliseconds(result.rttMs)}, ${how}`;
}

export interface PingSummary {
  sent: number;
  received: number;
  lossPct: number;
  minMs: number | null;
  avgMs: number | null;
  maxMs: number | null;
}

export function statistics(sent: number, times: readonly number[]): PingSummary {
  const none = times.length === 0;
  return {
    sent,
    received: times.length,
    lossPct: sent === 0 ? 0 : (100 * (sent - times.length)) / sent,
    minMs: none ? null : Math.min(...times),
    avgMs: none ? null : times.reduce((sum, time) => sum + time, 0) / times.length,
    maxMs: none ? null : Math.max(...times),
  };
}

function summaryLine(summary: PingSummary): string {
  const answered = `${summary.received} of ${summary.sent} answered (${Math.round(summary.lossPct)} % lost)`;
  if (summary.avgMs === null) return answered;
  const times = [summary.minMs, summary.avgMs, summary.maxMs].map(milliseconds).join(' / ');
  return `${answered}, fastest / mean / slowest ${times}`;
}
