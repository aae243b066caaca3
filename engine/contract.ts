/** What the faces (CLI, window, browser) hold: one running engine in one room. */
import type { Command, Snapshot } from '../protocol/app.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import type { EarlyDials } from './net/rendezvous/early-dials.ts';
import type { CryptoPort } from './ports.ts';

export interface Engine {
  snapshot(): Snapshot;
  /** Called with the present snapshot at once, then at every change (at most 10 a second). The result unsubscribes. */
  subscribe(listener: (snapshot: Snapshot) => void): () => void;
  /** Answers with the command's result (docs: protocol/app.ts) or rejects with a WarrenError. `watch` is the transport's. */
  command(command: Command): Promise<unknown>;
  /** Settles when the engine has ended: null after stop or `down`, else why it could not go on. Never rejects. */
  readonly done: Promise<{ code: ErrorCode | null; message: string }>;
  /** Says bye, takes everything down; idempotent. */
  stop(): Promise<void>;
}

/** What `warren up` was asked. */
export interface UpOptions {
  room: string;
  /** Null: the saved room's. */
  password: string | null;
  nick: string;
  servers: string[];
  create: boolean;
  stateDir: string;
  /** Interface name, null for the first free; ignored without TUN. */
  interfaceName: string | null;
  ipv4: string | null;
  tun: boolean;
  udpPort: number;
  /** Extra STUN servers, HOST:PORT. */
  stun: string[];
  portMapping: boolean;
  hardNat: boolean;
  discovery: boolean;
  relayOnly: boolean;
  caFile: string | null;
  /** Instead of the preset and of a policy that the app keeps; followed while the engine runs. */
  policyFile?: string | undefined;
  /** Where received files go. Default: the user's downloads folder. */
  downloadDir?: string | undefined;
  /** Connections to the servers that were opened ahead; whoever opened them closes what is left. */
  early?: EarlyDials | undefined;
  /** A crypto worker that was started ahead; whoever started it closes it too. */
  crypto?: CryptoPort | undefined;
  log: (level: 'debug' | 'info' | 'warn' | 'error', message: string) => void;
}
/**
 * `engine/net/host.ts` exports `startEngine(options: UpOptions, native): Promise<Engine>`, where `native` is
 * `{ Device, openTun }` of node-wireguard. It rejects with WarrenError (`no-rights`, `name-taken`, `port-taken`, `disk`, `invalid`).
 */
