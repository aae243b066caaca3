/** The `warren` command as a black box: servers and members started in namespaces, watched through what they print. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { PeerSnapshot, Snapshot } from '../../protocol/app.ts';
import type { Lab, LabProcess, Namespace, RunResult } from './netns.ts';
import { repositoryRoot } from './paths.ts';
import type { ServerSite } from './topology.ts';

/** Exit codes of the command (design: the product). */
export const exitCodes = {
  fine: 0,
  usage: 2,
  wrongPassword: 3,
  noServer: 4,
  noRights: 5,
  alreadyRunning: 6,
} as const;

/** The launcher, to be run by Node. */
export const command = join(repositoryRoot, 'cli/warren');
const defaultPort = 7868;
const defaultStunPort = 3478;
const defaultTimeoutMs = 30_000;
const logTail = 8_000;

/** Whether the checkout is built so far that the command can run. */
export const isCliBuilt = (): boolean => existsSync(join(repositoryRoot, 'build/cli/main.js'));

/** Runs one `warren` command in a namespace to its end. */
export function warren(
  lab: Lab,
  namespace: Namespace,
  argv: readonly string[],
  timeoutMs?: number,
): Promise<RunResult> {
  return lab.run(namespace, [process.execPath, command, ...argv], { timeoutMs });
}

/** A directory for a member's state that goes when it is closed. */
async function temporaryDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'warren-lab-'));
}

export interface ServeOptions {
  /** Default 7868. */
  readonly port?: number;
  /** Default 3478, and the port after it. */
  readonly stunPort?: number;
  /** The server's second address answers for RFC 5780. Default true. */
  readonly alternateIp?: boolean;
  readonly extra?: readonly string[];
}

/** A running `warren serve`. */
export class RendezvousServer {
  readonly url: string;
  readonly stun: string;
  readonly process: LabProcess;

  private constructor(serve: LabProcess, url: string, stun: string) {
    this.process = serve;
    this.url = url;
    this.stun = stun;
  }

  /** Starts the server; resolves when it listens. */
  static async start(lab: Lab, site: ServerSite, options: ServeOptions = {}): Promise<RendezvousServer> {
    const { port = defaultPort, stunPort = defaultStunPort, alternateIp = true, extra = [] } = options;
    const argv = ['serve', '--listen', `${site.ipv4}:${port}`, '--stun-port', String(stunPort), '--json', ...extra];
    if (alternateIp) argv.push('--alternate-ip', site.alternateIpv4);
    const serve = lab.spawn(site.namespace, [process.execPath, command, ...argv]);
    await firstLine(serve, (line) => line.includes('"listening"'));
    return new RendezvousServer(serve, `ws://${site.ipv4}:${port}`, `${site.ipv4}:${stunPort}`);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    return this.process.stop(signal);
  }
}

/** Resolves at the first line that fits; rejects with the output when the process ends without one. */
export function firstLine(started: LabProcess, fits: (line: string) => boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    const { stdout } = started.child;
    if (stdout !== null) createInterface({ input: stdout }).on('line', (line) => fits(line) && resolve(line));
    void started.exited.then((code) =>
      reject(new Error(`${started.argv.slice(1, 3).join(' ')} ended with ${code}:\n${started.output}`)),
    );
  });
}

export interface MemberOptions {
  readonly nick: string;
  readonly room: string;
  /** Null: the room is saved in `stateDir`. */
  readonly password: string | null;
  readonly servers: readonly string[];
  /** The first member of a room says so. */
  readonly create?: boolean;
  /** Used instead of a fresh one, and left alone on stop: a member that comes back. */
  readonly stateDir?: string;
  /** Further arguments of `up`. */
  readonly extra?: readonly string[];
  /** A program, with arguments, that runs `up`: to take rights away. */
  readonly wrapper?: readonly string[];
}

/** A running `warren up`, followed by a `warren status --json --watch`. */
export class Member {
  readonly nick: string;
  readonly namespace: Namespace;
  readonly stateDir: string;
  readonly up: LabProcess;
  readonly #lab: Lab;
  readonly #watch: LabProcess;
  readonly #ownsState: boolean;
  readonly #waiting = new Set<() => void>();
  #snapshot: Snapshot | null = null;
  #stopped: Promise<number> | null = null;

  private constructor(
    lab: Lab,
    namespace: Namespace,
    options: MemberOptions,
    stateDir: string,
    argv: readonly string[],
  ) {
    this.#lab = lab;
    this.nick = options.nick;
    this.namespace = namespace;
    this.stateDir = stateDir;
    this.#ownsState = options.stateDir === undefined;
    const watchArgv = ['status', '--json', '--watch', '--state-dir', stateDir];
    this.#watch = lab.spawn(namespace, [process.execPath, command, ...watchArgv]);
    this.up = lab.spawn(namespace, [...(options.wrapper ?? []), process.execPath, command, ...argv]);
    this.#follow();
  }

  /** Starts `up` without waiting for anything: see `waitFor` and `exited`. */
  static async start(lab: Lab, namespace: Namespace, options: MemberOptions): Promise<Member> {
    const stateDir = options.stateDir ?? (await temporaryDirectory());
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    const argv = ['up', '--room', options.room, '--nick', options.nick];
    if (options.password !== null) {
      const passwordFile = join(stateDir, 'lab-password');
      await writeFile(passwordFile, `${options.password}\n`, { mode: 0o600 });
      argv.push('--password-file', passwordFile);
    }
    for (const server of options.servers) argv.push('--server', server);
    if (options.create) argv.push('--create');
    argv.push('--state-dir', stateDir, '--json', '--log-level', 'debug', ...(options.extra ?? []));
    return new Member(lab, namespace, options, stateDir, argv);
  }

  /** The last snapshot, or null before the first. */
  get snapshot(): Snapshot | null {
    return this.#snapshot;
  }

  /** Exit code of `up` when it ends by itself. */
  get exited(): Promise<number> {
    return this.up.exited;
  }

  peer(nick: string): PeerSnapshot | undefined {
    return this.#snapshot?.peers.find((peer) => peer.nick === nick);
  }

  /** Own virtual IPv4 address. Throws before there is one. */
  get ipv4(): string {
    const address = this.#snapshot?.self?.ipv4;
    if (address === null || address === undefined) throw new Error(`${this.nick} has no address yet`);
    return address;
  }

  /** Resolves with the first snapshot that fits; rejects with logs and the last snapshot after the timeout or the end of `up`. */
  waitFor(what: string, fits: (snapshot: Snapshot) => boolean, timeoutMs = defaultTimeoutMs): Promise<Snapshot> {
    return new Promise((resolve, reject) => {
      const settle = (error: Error | null): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        if (error !== null) reject(error);
      };
      const look = (): void => {
        const found = this.#snapshot;
        if (found !== null && fits(found)) {
          settle(null);
          resolve(found);
        } else if (!this.up.running) settle(this.#failure(`${what}: up has ended`));
      };
      const timer = setTimeout(() => settle(this.#failure(`${what}: not within ${timeoutMs} ms`)), timeoutMs);
      this.#waiting.add(look);
      look();
    });
  }

  joined(timeoutMs?: number): Promise<Snapshot> {
    return this.waitFor('joined', ({ state, self }) => state === 'joined' && self?.ipv4 != null, timeoutMs);
  }

  /** `warren ping --json`, whose exit code is 0 when an answer came. */
  ping(target: string, count = 1): Promise<RunResult> {
    const argv = ['ping', target, '--count', String(count), '--state-dir', this.stateDir, '--json'];
    return warren(this.#lab, this.namespace, argv);
  }

  /** The kernel's ping to a virtual address, through the tunnel. Resolves with how many of `count` were answered. */
  async kernelPing(address: string, count = 3): Promise<number> {
    const argv = ['ping', '-n', '-c', String(count), '-i', '0.1', '-W', '3', address];
    const { stdout } = await this.#lab.run(this.namespace, argv);
    return Number(/(\d+) received/.exec(stdout)?.[1] ?? 0);
  }

  /** Ends `up` with a signal; resolves with its exit code. May be called twice. */
  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    this.#stopped ??= this.#stop(signal);
    return this.#stopped;
  }

  /** What happened here, for a failing test: the end of the log and the last snapshot. */
  get story(): string {
    return `--- ${this.nick} (${this.namespace.name})\n${this.up.errors.slice(-logTail)}\n${JSON.stringify(this.#snapshot)}`;
  }

  async #stop(signal: NodeJS.Signals): Promise<number> {
    const code = await this.up.stop(signal);
    await this.#watch.stop('SIGTERM');
    if (this.#ownsState) await rm(this.stateDir, { recursive: true, force: true });
    return code;
  }

  #follow(): void {
    const { stdout } = this.#watch.child;
    if (stdout === null) throw new Error('status --watch has no output');
    createInterface({ input: stdout }).on('line', (line) => {
      if (!line.startsWith('{')) return;
      const found = JSON.parse(line) as Snapshot | { error: unknown };
      if ('error' in found) return;
      this.#snapshot = found;
      for (const look of this.#waiting) look();
    });
    this.up.child.once('close', () => {
      for (const look of this.#waiting) look();
    });
  }

  #failure(message: string): Error {
    return new Error(`${this.nick}: ${message}\n${this.story}`);
  }
}
