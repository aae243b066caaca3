/** Members who join one room, and a steady flow of pings between two of them. */
import { until } from '../until.ts';
import { Member, type MemberOptions } from './cli.ts';
import type { Lab, LabProcess, Namespace } from './netns.ts';

export interface Player {
  readonly nick: string;
  readonly namespace: Namespace;
  /** Further arguments of `up`. */
  readonly extra?: readonly string[];
  readonly wrapper?: readonly string[];
  readonly stateDir?: string;
}

/** Generous: a member's part of many handshakes is slow on a machine that runs all the others as well. */
const joinTimeoutMs = 60_000;

type RoomOptions = Pick<MemberOptions, 'room' | 'password' | 'servers'>;

/**
 * Starts a member for each player; the first creates the room. One after another: all at once their password hashing alone would
 * keep two cores busy for long.
 */
export async function joinAll(
  lab: Lab,
  players: readonly Player[],
  options: RoomOptions,
): Promise<Map<string, Member>> {
  const members = new Map<string, Member>();
  for (const { namespace, ...player } of players) {
    const member = await Member.start(lab, namespace, { ...player, create: members.size === 0, ...options });
    members.set(member.nick, member);
    await member.joined(joinTimeoutMs);
  }
  return members;
}

/** Ends when the two see each other over one of these kinds of path. */
export async function bothOver(a: Member, b: Member, kinds: readonly string[], timeoutMs?: number): Promise<void> {
  await Promise.all(
    [
      [a, b],
      [b, a],
    ].map(([here, there]) =>
      here!.waitFor(
        `${there!.nick} over ${kinds.join(' or ')}`,
        ({ peers }) => {
          const peer = peers.find(({ nick }) => nick === there!.nick);
          return peer?.state === 'connected' && peer.path !== null && kinds.includes(peer.path.kind);
        },
        timeoutMs,
      ),
    ),
  );
}

interface Reply {
  readonly sequence: number;
  readonly atMs: number;
}

/** The kernel's ping through the tunnel, many times a second, until it is stopped. */
export class PingFlow {
  readonly intervalMs: number;
  readonly #process: LabProcess;

  constructor(lab: Lab, from: Member, to: Member, intervalMs = 20) {
    this.intervalMs = intervalMs;
    // -D prints the time of each reply; into a pipe ping would keep its lines back.
    const ping = ['stdbuf', '-oL', 'ping', '-n', '-D', '-i', String(intervalMs / 1_000), to.ipv4];
    this.#process = lab.spawn(from.namespace, ping);
  }

  get replies(): Reply[] {
    return [...this.#process.output.matchAll(/^\[([\d.]+)\].*icmp_seq=(\d+)/gm)].map((match) => ({
      atMs: Number(match[1]) * 1_000,
      sequence: Number(match[2]),
    }));
  }

  /** Resolves when this many replies have come. */
  async hasReplies(count: number, timeoutMs = 20_000): Promise<void> {
    await until(`${count} replies`, () => this.replies.length >= count, timeoutMs);
  }

  /** Longest time without a reply between two moments (Unix time in ms), beyond the interval itself. */
  longestGapMs(fromMs: number, toMs: number): number {
    const times = this.replies.map((reply) => reply.atMs).filter((at) => at >= fromMs && at <= toMs);
    const moments = [fromMs, ...times, toMs];
    const gaps = moments.slice(1).map((at, index) => at - (moments[index] as number));
    return Math.max(0, Math.max(...gaps) - this.intervalMs);
  }

  /** Sequence numbers that were never answered, up to the last one that was. */
  get missing(): number[] {
    const answered = new Set(this.replies.map((reply) => reply.sequence));
    const last = Math.max(0, ...answered);
    return Array.from({ length: last }, (_, index) => index + 1).filter((sequence) => !answered.has(sequence));
  }

  async stop(): Promise<void> {
    await this.#process.stop('SIGINT');
  }
}
