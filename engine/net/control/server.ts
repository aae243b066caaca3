/**
 * The control socket of a running engine: line JSON as the head of protocol/app.ts describes it. Only this user can
 * connect, and yet every line is checked at the door.
 */
import { chmodSync, rmdirSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import * as z from 'zod';
import { CONTROL_VERSION, command, type Snapshot } from '../../../protocol/app.ts';
import { type ErrorCode, WarrenError } from '../../../protocol/errors.ts';
import type { Engine } from '../../contract.ts';
import { privateDirectory } from '../state/files.ts';
import { jsonLine, LineReader, parseJson } from './lines.ts';
import type { ControlPath } from './path.ts';

export const CONTROL_LIMITS = {
  /** Longest request, bytes: the longest command is a member's name. */
  requestBytes: 4_096,
  connections: 32,
  /** Unanswered requests of one connection; more are answered `invalid`. */
  pending: 16,
  /** A client that reads so slowly that answers pile up to this is cut. */
  backlogBytes: 1024 * 1024,
} as const;

const request = z.object({ id: z.int().min(0), command });

export interface ControlServer {
  /** Idempotent; ends every connection once what is queued has left. */
  close(): Promise<void>;
}

/** Listens; the caller holds the lock, so a socket file that is there belongs to nobody. Rejects with WarrenError('disk'). */
export async function startControlServer(where: ControlPath, engine: Engine): Promise<ControlServer> {
  privateDirectory(where.directory);
  if (process.platform !== 'win32') rmSync(where.path, { force: true });
  const clients = new Set<Client>();
  const server = createServer((socket) => {
    const client = new Client(socket, engine);
    clients.add(client);
    socket.once('close', () => clients.delete(client));
  });
  server.maxConnections = CONTROL_LIMITS.connections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(new WarrenError('disk', `cannot listen on ${where.path}: ${error.message}`, { cause: error }));
    });
    server.listen(where.path, resolve);
  });
  if (process.platform !== 'win32') chmodSync(where.path, 0o600);
  let closing: Promise<void> | null = null;
  return {
    close() {
      closing ??= new Promise<void>((resolve) => {
        server.close(() => {
          if (where.temporary) removeEmpty(where.directory);
          resolve();
        });
        for (const client of clients) client.end();
      });
      return closing;
    },
  };
}

function removeEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Somebody keeps something there, or another engine is starting: it is theirs now.
  }
}

/** How long a client may take to read the last answers at the end. */
const LINGER_MS = 500;

class Client {
  readonly #socket: Socket;
  readonly #engine: Engine;
  readonly #lines = new LineReader(CONTROL_LIMITS.requestBytes);
  #pending = 0;
  #unsubscribe: (() => void) | null = null;
  /** The newest snapshot that a slow watcher has not been sent. */
  #waiting: Snapshot | null = null;

  constructor(socket: Socket, engine: Engine) {
    this.#socket = socket;
    this.#engine = engine;
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('drain', () => this.#sendWaiting());
    // A connection that breaks needs no words: `close` follows.
    socket.on('error', () => {});
    socket.on('close', () => this.#unwatch());
    this.#send({ warren: CONTROL_VERSION });
  }

  end(): void {
    this.#sendWaiting();
    this.#unwatch();
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), LINGER_MS);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  #read(chunk: Buffer): void {
    const lines = this.#lines.feed(chunk);
    if (lines === null) {
      this.#refuse(null, 'invalid');
      this.#socket.end();
      return;
    }
    for (const line of lines) this.#request(line);
  }

  #request(line: string): void {
    const parsed = request.safeParse(parseJson(line));
    if (!parsed.success) {
      this.#refuse(idOf(line), 'invalid');
      return;
    }
    const { id, command: asked } = parsed.data;
    if (this.#pending >= CONTROL_LIMITS.pending) {
      this.#refuse(id, 'invalid');
      return;
    }
    if (asked.type === 'watch') {
      this.#send({ id, ok: true, result: null });
      this.#watch();
      return;
    }
    this.#pending++;
    this.#engine
      .command(asked)
      .then((result) => this.#send({ id, ok: true, result: result ?? null }))
      .catch((error: unknown) => {
        const known = error instanceof WarrenError;
        this.#refuse(id, known ? error.code : 'internal', known ? error.message : undefined);
      })
      .finally(() => this.#pending--);
  }

  #watch(): void {
    this.#unsubscribe ??= this.#engine.subscribe((snapshot) => {
      this.#waiting = snapshot;
      // Node reports backlog by writableNeedDrain; `drain` sends whatever is newest by then.
      if (!this.#socket.writableNeedDrain) this.#sendWaiting();
    });
  }

  #unwatch(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = null;
    this.#waiting = null;
  }

  #sendWaiting(): void {
    const snapshot = this.#waiting;
    this.#waiting = null;
    if (snapshot !== null) this.#send({ snapshot });
  }

  #refuse(id: number | null, code: ErrorCode, message?: string): void {
    this.#send({ id, ok: false, code, ...(message === undefined ? {} : { message }) });
  }

  #send(value: unknown): void {
    if (!this.#socket.writable) return;
    this.#socket.write(jsonLine(value));
    if (this.#socket.writableLength > CONTROL_LIMITS.backlogBytes) this.#socket.destroy();
  }
}

/** The id of a request that is not well-formed otherwise, so that its sender can tell which it was. */
function idOf(line: string): number | null {
  const id = (parseJson(line) as { id?: unknown } | null | undefined)?.id;
  return typeof id === 'number' && Number.isSafeInteger(id) && id >= 0 ? id : null;
}
