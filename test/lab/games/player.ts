/** A game's sockets inside a member's namespace, driven line by line (player.mjs). */
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from '../../until.ts';
import type { Lab, LabProcess, Namespace } from '../netns.ts';
import { labSourceDirectory } from '../paths.ts';

export interface Datagram {
  /** Source. */
  ip: string;
  fromPort: number;
  /** Where it was heard. */
  port: number;
  size: number;
  /** First 40 bytes. */
  hex: string;
}

export interface SendOrder {
  /** Source port; 0: any. */
  from: number;
  to: string;
  ports: readonly number[];
  hex: string;
  /** Sends that many different packets to each port. */
  repeat?: number;
  /** Own address to bind, as some games do. */
  bind?: string;
}

export class Player {
  readonly heard: Datagram[] = [];
  readonly answers: Datagram[] = [];
  readonly errors: string[] = [];
  readonly #process: LabProcess;
  readonly #said: Record<string, unknown>[] = [];

  constructor(lab: Lab, namespace: Namespace) {
    this.#process = lab.spawn(namespace, [process.execPath, join(labSourceDirectory, 'games/player.mjs')], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const { stdout } = this.#process.child;
    if (stdout === null) throw new Error('the player has no output');
    createInterface({ input: stdout }).on('line', (line) => {
      const said = JSON.parse(line) as { heard?: Datagram; answer?: Datagram; error?: string };
      if (said.heard) this.heard.push(said.heard);
      else if (said.answer) this.answers.push(said.answer);
      else if (said.error) this.errors.push(said.error);
      else this.#said.push(said);
    });
  }

  /** `on`: the address of the interface that joins; otherwise the system chooses. */
  async listen(port: number, group?: string, on?: string): Promise<void> {
    await this.#order({ do: 'listen', port, group, on }, ({ listening }) => listening === port);
  }

  /** Says whatever comes to a port again, to everybody: what a relaying program would do. */
  async repeat(port: number): Promise<void> {
    await this.#order({ do: 'repeat', port }, ({ listening }) => listening === port);
  }

  async send(order: SendOrder): Promise<void> {
    await this.#order({ do: 'send', ...order }, ({ sent }) => sent !== undefined);
    if (this.errors.length > 0) throw new Error(this.errors.join('; '));
  }

  /** Closes the game's sockets and forgets what it heard. */
  async close(): Promise<void> {
    await this.#order({ do: 'close' }, ({ closed }) => closed === true);
    this.heard.length = 0;
    this.answers.length = 0;
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }

  async #order(order: object, done: (said: Record<string, unknown>) => boolean): Promise<void> {
    const before = this.#said.length;
    this.#process.child.stdin?.write(`${JSON.stringify(order)}\n`);
    await until(JSON.stringify(order), () => this.#said.slice(before).some(done), 30_000);
  }
}
