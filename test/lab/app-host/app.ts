/** Owner's side of process.ts: an app in a namespace, its state, and what it answers. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { PeerSnapshot } from '../../../protocol/app.ts';
import type { AppCommand, AppState, StateChange } from '../../../protocol/face.ts';
import { until } from '../../until.ts';
import type { Lab, LabProcess, Namespace } from '../netns.ts';
import { repositoryRoot } from '../paths.ts';

type Line = { change: StateChange } | { id: number; result?: unknown; code?: string };

export class LabApp {
  readonly name: string;
  readonly stateDir: string;
  readonly process: LabProcess;
  readonly #answers = new Map<number, (line: { result?: unknown; code?: string }) => void>();
  readonly #ownsState: boolean;
  #state: Partial<AppState> = {};
  #nextId = 1;

  constructor(lab: Lab, namespace: Namespace, name: string, stateDir?: string) {
    this.name = name;
    this.#ownsState = stateDir === undefined;
    this.stateDir = stateDir ?? mkdtempSync(join(tmpdir(), 'warren-lab-app-'));
    const program = join(repositoryRoot, 'build/test/lab/app-host/process.js');
    this.process = lab.spawn(namespace, [process.execPath, program, this.stateDir], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const { stdout } = this.process.child;
    if (stdout === null) throw new Error('the app has no output');
    createInterface({ input: stdout }).on('line', (line) => this.#take(JSON.parse(line) as Line));
  }

  /** Answers the result, or rejects with the code as message. */
  async do(command: AppCommand): Promise<unknown> {
    const id = this.#nextId++;
    const answered = new Promise<{ result?: unknown; code?: string }>((resolve) => this.#answers.set(id, resolve));
    this.process.child.stdin?.write(`${JSON.stringify({ id, command })}\n`);
    const { result, code } = await answered;
    if (code !== undefined) throw new Error(code);
    return result;
  }

  async waitFor(what: string, fits: (state: AppState) => boolean, timeoutMs = 30_000): Promise<AppState> {
    const holds = () => this.#state.about !== undefined && fits(this.#state as AppState);
    await until(what, holds, timeoutMs).catch((error: unknown) => {
      throw new Error(`${this.name}: ${(error as Error).message}\n${this.story}`);
    });
    return this.#state as AppState;
  }

  reaches(connection: AppState['connection']['state'], timeoutMs?: number): Promise<AppState> {
    return this.waitFor(`connection ${connection}`, (state) => state.connection.state === connection, timeoutMs);
  }

  /** Waits until it sees the other over one of these kinds of path. */
  async sees(nick: string, kinds: readonly string[], timeoutMs?: number): Promise<PeerSnapshot> {
    const found = ({ snapshot }: AppState) =>
      snapshot.peers.find(
        (peer) => peer.nick === nick && peer.state === 'connected' && kinds.includes(peer.path?.kind ?? ''),
      );
    const state = await this.waitFor(
      `${nick} over ${kinds.join(' or ')}`,
      (now) => found(now) !== undefined,
      timeoutMs,
    );
    return found(state) as PeerSnapshot;
  }

  get story(): string {
    return `--- ${this.name}\n${this.process.errors.slice(-8_000)}\n${JSON.stringify(this.#state)}`;
  }

  async stop(): Promise<number> {
    const code = await this.process.stop('SIGTERM');
    if (this.#ownsState) rmSync(this.stateDir, { recursive: true, force: true });
    return code;
  }

  #take(line: Line): void {
    if ('change' in line) this.#state = { ...this.#state, ...line.change };
    else this.#answers.get(line.id)?.(line);
  }
}
