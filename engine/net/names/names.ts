/** Members' names on a real host: the responder follows this host's virtual address, the system is told once it stands. */
import type { NamesPort, NamesView, RoomNames } from '../../ports.ts';
import { type Responder, startResponder } from './responder.ts';
import { forgetSystem, tellSystem } from './system.ts';

export function systemNames(interfaceName: string, log: (line: string) => void): NamesPort {
  return new SystemNamesPort(interfaceName, log);
}

class SystemNamesPort implements NamesPort {
  readonly #interface: string;
  readonly #log: (line: string) => void;
  #names: RoomNames | null = null;
  #responder: Responder | null = null;
  #view: NamesView = { state: 'off', server: null };
  #work: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(interfaceName: string, log: (line: string) => void) {
    this.#interface = interfaceName;
    this.#log = log;
  }

  view(): NamesView {
    return this.#view;
  }

  update(names: RoomNames, changed: () => void): void {
    const moved = names.ipv4 !== this.#names?.ipv4;
    this.#names = names;
    if (moved)
      this.#work = this.#work.then(() => this.#move(names, changed)).catch((error: unknown) => this.#failed(error));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#work;
    if (this.#view.state === 'system') await forgetSystem(this.#interface, this.#log);
    this.#responder?.close();
  }

  async #move({ ipv4, prefixLength, ready }: RoomNames, changed: () => void): Promise<void> {
    this.#responder?.close();
    this.#responder = null;
    // The address must be on the interface before anything can be bound to it.
    await ready;
    if (this.#stopped) return;
    const names = () => this.#names ?? { hosts: [], inRoom: () => false };
    this.#responder = await startResponder(ipv4, names, this.#log);
    const { port } = this.#responder;
    const told = await tellSystem({ interfaceName: this.#interface, ipv4, prefixLength, port }, this.#log);
    this.#view = { state: told ? 'system' : 'multicast', server: `${ipv4}:${port}` };
    changed();
  }

  #failed(error: unknown): void {
    this.#view = { state: 'off', server: null };
    this.#log(`names cannot be answered: ${(error as Error).message}`);
  }
}
