/** Owner's side of probe.mjs: UDP sockets inside a namespace. */
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Lab, LabProcess, Namespace } from '../netns.ts';
import { labSourceDirectory } from '../paths.ts';
import type { Endpoint } from './contract.ts';

interface Reply {
  readonly id?: number;
  readonly port?: number;
  readonly error?: string;
  readonly label?: string;
  readonly text?: string;
  readonly from?: Endpoint;
}

/** How long a datagram may take on a busy machine before it counts as lost. Links in these tests have no delay. */
const arrivalMs = 400;

export class Probe {
  readonly #process: LabProcess;
  readonly #replies = new Map<number, (reply: Reply) => void>();
  readonly #arrivals = new Map<string, (from: Endpoint) => void>();
  readonly #received: string[] = [];
  #nextId = 1;

  constructor(lab: Lab, namespace: Namespace) {
    const script = join(labSourceDirectory, 'conformance/probe.mjs');
    this.#process = lab.spawn(namespace, [process.execPath, script], { stdio: ['pipe', 'pipe', 'inherit'] });
    const { stdout } = this.#process.child;
    if (stdout === null) throw new Error('the probe has no output');
    createInterface({ input: stdout }).on('line', (line) => this.#take(JSON.parse(line) as Reply));
  }

  /** Binds a socket; resolves with its port. */
  async open(label: string, at: Partial<Endpoint> = {}): Promise<number> {
    const reply = await this.#ask({ op: 'open', label, ...at });
    if (reply.port === undefined) throw new Error(reply.error ?? 'the socket was not bound');
    return reply.port;
  }

  async send(label: string, to: Endpoint, text: string, options: { ttl?: number } = {}): Promise<void> {
    await this.#ask({ op: 'send', label, to, text, ...options });
  }

  /** Source of the datagram with this text when it arrives at the socket, or null if it does not. Call it before sending. */
  arrival(label: string, text: string): Promise<Endpoint | null> {
    const key = `${label}\n${text}`;
    return new Promise((resolve) => {
      const give = (from: Endpoint | null): void => {
        clearTimeout(timer);
        this.#arrivals.delete(key);
        resolve(from);
      };
      const timer = setTimeout(() => give(null), arrivalMs);
      this.#arrivals.set(key, give);
    });
  }

  /** Texts of all datagrams so far, in order of arrival. */
  get received(): readonly string[] {
    return this.#received;
  }

  async stop(): Promise<void> {
    this.#process.child.stdin?.end();
    await this.#process.exited;
  }

  #take(reply: Reply): void {
    if (reply.id !== undefined) {
      this.#replies.get(reply.id)?.(reply);
      this.#replies.delete(reply.id);
    } else if (reply.from !== undefined) {
      this.#received.push(reply.text ?? '');
      this.#arrivals.get(`${reply.label}\n${reply.text}`)?.(reply.from);
    }
  }

  #ask(command: Record<string, unknown>): Promise<Reply> {
    const id = this.#nextId++;
    const answered = new Promise<Reply>((resolve) => this.#replies.set(id, resolve));
    this.#process.child.stdin?.write(`${JSON.stringify({ id, ...command })}\n`);
    return answered;
  }
}
