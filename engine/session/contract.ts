/** What the desktop app and the browser UI run behind their transports: at most one engine, and all that is remembered. */
import type { AppCommand, AppState, StateChange } from '../../protocol/face.ts';

export interface AppHost {
  state(): AppState;
  /** Called with the whole state at once, then with the parts that changed. The result unsubscribes. */
  subscribe(listener: (change: StateChange) => void): () => void;
  /** `command` is already validated. Answers its result (protocol/face.ts) or rejects with a WarrenError. */
  command(command: AppCommand): Promise<unknown>;
  /** Leaves, stops a server of its own, saves; idempotent. An attached engine goes on. */
  close(): Promise<void>;
}

/** A rendezvous server inside the app. */
export interface HostedServer {
  /** URLs under which friends may reach it, best first. */
  readonly urls: readonly string[];
  /** URL for the engine on this machine; no invite carries it. */
  readonly localUrl: string;
  readonly reachable: boolean | null;
  /** Called when the URLs or the reachability change (a mapping came or went). */
  onChange(listener: () => void): void;
  close(): Promise<void>;
}

/** Asks the router for a port, until it is closed. */
export interface PortMapper {
  open(
    transport: 'udp' | 'tcp',
    internalPort: number,
    changed: () => void,
  ): { view(): { state: string; external?: { ip: string; port: number } }; close(): Promise<void> };
}

export interface AppHostOptions {
  stateDir: string;
  about: AppState['about'];
  /** `node-wireguard`, loaded when the first room is joined. */
  loadNative(): Promise<import('../net/host.ts').NativePort>;
  /** Starts a server for "host on this PC"; the composition root knows the server, the engine does not. */
  startServer(options: { portMapper: PortMapper | null }): Promise<HostedServer>;
  /** Null: TUN as always; false: a member without an interface (tests, no rights). */
  tun: boolean;
  /** What only the shell can do; each absent one is answered `unsupported`. */
  shell?: {
    window?(mode: 'full' | 'mini' | 'hide'): void;
    quit?(): void;
    autostart?(on: boolean): void;
    /** Opens the folder of a file of this machine, with the file selected. */
    showFile?(path: string): void;
  };
  /** Lines for the diagnostics bundle and the terminal. */
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void;
}
/** `engine/session/host.ts` exports `createAppHost(options: AppHostOptions): AppHost`. */
