/** A virtual screen for one test file. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export class VirtualScreen {
  /** Value of `DISPLAY`. */
  readonly display: string;
  readonly #server: ChildProcess;

  private constructor(display: string, server: ChildProcess) {
    this.display = display;
    this.#server = server;
  }

  /** The server takes a free display number itself and tells it when it is ready. It dies with this process. */
  static async start(): Promise<VirtualScreen> {
    const argv = [
      '--pdeathsig',
      'KILL',
      'Xvfb',
      '-displayfd',
      '1',
      '-ac',
      '-screen',
      '0',
      '1600x1000x24',
      '-nolisten',
      'tcp',
    ];
    const server = spawn('setpriv', argv, { stdio: ['ignore', 'pipe', 'ignore'] });
    const number = await Promise.race([once(server.stdout, 'data'), once(server, 'exit').then(() => null)]);
    if (number === null) throw new Error('Xvfb did not start');
    return new VirtualScreen(`:${String(number[0]).trim()}`, server);
  }

  /** May be called twice. */
  async stop(): Promise<void> {
    if (this.#server.exitCode !== null || this.#server.signalCode !== null) return;
    const exited = once(this.#server, 'exit');
    this.#server.kill();
    await exited;
  }
}
