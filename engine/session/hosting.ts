/** The rendezvous server that the app runs itself, for as long as a room of its own needs it. */
import { WarrenError } from '../../protocol/errors.ts';
import type { Hosting } from '../../protocol/face.ts';
import type { HostedServer } from './contract.ts';

export interface HostingOptions {
  start(): Promise<HostedServer>;
  changed(hosting: Hosting): void;
}

export class HostedRoomServer {
  readonly #options: HostingOptions;
  #server: HostedServer | null = null;
  #failed = false;

  constructor(options: HostingOptions) {
    this.#options = options;
  }

  /** What friends are told; empty while no server runs. */
  get urls(): readonly string[] {
    return this.#server?.urls ?? [];
  }

  /** Starts the server unless it runs. The result is its URL for this machine. Rejects with a WarrenError. */
  async start(): Promise<string> {
    if (this.#server !== null) return this.#server.localUrl;
    this.#failed = false;
    this.#options.changed({ state: 'starting' });
    try {
      const server = await this.#options.start();
      this.#server = server;
      server.onChange(() => this.#announce(server));
      this.#announce(server);
      return server.localUrl;
    } catch (error) {
      this.#failed = true;
      this.#options.changed({ state: 'failed', code: error instanceof WarrenError ? error.code : 'internal' });
      throw error;
    }
  }

  /** Idempotent. A failure stays to be seen until it is forgiven. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    await server.close();
    this.#options.changed({ state: 'off' });
  }

  forgive(): void {
    if (!this.#failed) return;
    this.#failed = false;
    this.#options.changed({ state: 'off' });
  }

  #announce(server: HostedServer): void {
    if (server !== this.#server) return;
    this.#options.changed({ state: 'on', urls: [...server.urls], reachable: server.reachable });
  }
}
