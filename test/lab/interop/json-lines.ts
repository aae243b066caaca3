/** A script in a namespace that answers each JSON line on standard input with one on standard output, in order. */
import { createInterface } from 'node:readline';

import type { Lab, LabProcess, Namespace } from '../netns.ts';

export class JsonLines<Command, Answer> {
  readonly process: LabProcess;
  readonly #waiting: { resolve(answer: Answer): void; reject(error: Error): void }[] = [];

  constructor(lab: Lab, namespace: Namespace, argv: readonly string[], env: Record<string, string> = {}) {
    const stdio = ['pipe', 'pipe', 'pipe'] as const;
    this.process = lab.spawn(namespace, argv, { stdio: [...stdio], env: { ...process.env, ...env } });
    createInterface({ input: this.process.child.stdout! }).on('line', (line) =>
      this.#waiting.shift()?.resolve(JSON.parse(line) as Answer),
    );
    this.process.child.once('close', (code, signal) => {
      const error = new Error(`${argv.join(' ')} ended (${code ?? signal}): ${this.process.output}`);
      for (const call of this.#waiting.splice(0)) call.reject(error);
    });
  }

  get pid(): number {
    return this.process.pid;
  }

  ask(command: Command): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.process.child.stdin!.write(`${JSON.stringify(command)}\n`);
    });
  }
}
