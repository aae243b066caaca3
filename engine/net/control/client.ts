/** A face's end of the control socket. What the engine's side sends is checked too: it may be another version. */
import { createConnection, type Socket } from 'node:net';
import * as z from 'zod';
import { CONTROL_VERSION, type Command, type Snapshot, snapshot } from '../../../protocol/app.ts';
import { type ErrorCode, WarrenError } from '../../../protocol/errors.ts';
import { jsonLine, LineReader, parseJson } from './lines.ts';

/** 250 members at about 1.2 KB each, with room to spare. */
const ANSWER_BYTES = 1024 * 1024;
/** A local engine answers in microseconds; one that is stopped in a debugger does not. */
const CONNECT_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 5_000;

const hello = z.object({ warren: z.int() });
const answer = z.union([
  z.object({ snapshot }),
  z.object({ id: z.int(), ok: z.literal(true), result: z.unknown() }),
  z.object({ id: z.int().nullable(), ok: z.literal(false), code: z.string(), message: z.string().optional() }),
]);

export interface ControlClient {
  /** Rejects with the WarrenError that the engine answered, `timeout`, or `not-running` when it ends before. */
  request(command: Exclude<Command, { type: 'watch' }>, options?: { timeoutMs?: number }): Promise<unknown>;
  /** Calls back with the present snapshot and every later one, until the connection ends. */
  watch(listener: (snapshot: Snapshot) => void): Promise<void>;
  /** Resolves when the engine's side or ours has ended. */
  readonly closed: Promise<void>;
  close(): void;
}

/** Rejects with WarrenError: `not-running` when nobody listens, `unsupported` for another contract version. */
export async function connectControl(path: string): Promise<ControlClient> {
  const socket = createConnection(path);
  const client = new Client(socket);
  try {
    await client.ready;
    return client;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

interface Waiting {
  resolve(result: unknown): void;
  reject(error: WarrenError): void;
}

class Client implements ControlClient {
  readonly ready: Promise<void>;
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #lines = new LineReader(ANSWER_BYTES);
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #listener: ((snapshot: Snapshot) => void) | null = null;
  #greeted: ((error: WarrenError | null) => void) | null = null;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.ready = new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#greet(new WarrenError('timeout', 'the engine does not answer')),
        CONNECT_TIMEOUT_MS,
      );
      this.#greeted = (error) => {
        clearTimeout(timer);
        if (error) reject(error);
        else resolve();
      };
    });
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#ended();
        resolve();
      });
    });
    socket.on('error', (error) => this.#greet(connectError(error)));
    socket.on('data', (chunk) => this.#read(chunk));
  }

  request(
    asked: Exclude<Command, { type: 'watch' }>,
    { timeoutMs = REQUEST_TIMEOUT_MS }: { timeoutMs?: number } = {},
  ): Promise<unknown> {
    return this.#request(asked, timeoutMs);
  }

  async watch(listener: (snapshot: Snapshot) => void): Promise<void> {
    this.#listener = listener;
    await this.#request({ type: 'watch' }, REQUEST_TIMEOUT_MS);
  }

  close(): void {
    this.#socket.destroy();
  }

  #request(asked: Command, timeoutMs: number): Promise<unknown> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) {
        reject(notRunning());
        return;
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new WarrenError('timeout', 'the engine does not answer'));
      }, timeoutMs);
      const settle = () => {
        clearTimeout(timer);
        this.#waiting.delete(id);
      };
      this.#waiting.set(id, {
        resolve: (result) => {
          settle();
          resolve(result);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      });
      this.#socket.write(jsonLine({ id, command: asked }));
    });
  }

  #read(chunk: Buffer): void {
    const lines = this.#lines.feed(chunk);
    if (lines === null) this.#socket.destroy();
    for (const line of lines ?? []) this.#line(line);
  }

  #line(line: string): void {
    const value = parseJson(line);
    if (this.#greeted !== null) {
      const version = hello.safeParse(value).data?.warren;
      this.#greet(version === CONTROL_VERSION ? null : otherVersion(version));
      return;
    }
    const parsed = answer.safeParse(value);
    if (!parsed.success) {
      this.#socket.destroy();
      return;
    }
    if ('snapshot' in parsed.data) {
      this.#listener?.(parsed.data.snapshot);
      return;
    }
    const waiting = this.#waiting.get(parsed.data.id ?? -1);
    if (parsed.data.ok) waiting?.resolve(parsed.data.result);
    else waiting?.reject(new WarrenError(parsed.data.code as ErrorCode, parsed.data.message ?? parsed.data.code));
  }

  #greet(error: WarrenError | null): void {
    const greeted = this.#greeted;
    this.#greeted = null;
    greeted?.(error);
  }

  #ended(): void {
    this.#greet(notRunning());
    for (const waiting of this.#waiting.values()) waiting.reject(notRunning());
  }
}

const notRunning = () => new WarrenError('not-running', 'no engine is running here');

function otherVersion(version: number | undefined): WarrenError {
  const said = version === undefined ? 'something else' : `version ${version}`;
  return new WarrenError('unsupported', `the engine speaks ${said}, this command version ${CONTROL_VERSION}`);
}

/** ENOENT and ECONNREFUSED: no socket, or one whose engine was killed. */
function connectError(error: NodeJS.ErrnoException): WarrenError {
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED' || error.code === 'ENOTDIR') return notRunning();
  if (error.code === 'EACCES' || error.code === 'EPERM') {
    return new WarrenError('no-rights', 'the engine belongs to another user', { cause: error });
  }
  return new WarrenError('not-running', `the engine cannot be reached: ${error.message}`, { cause: error });
}
