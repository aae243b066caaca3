/**
 * One browser tab's WebSocket:
 *
 * 1. greeting: it has a few seconds to say `hello` with a code or a token; anything else ends it;
 * 2. admitted: it is welcomed, told the state and its changes, and its commands are answered, each checked at the door.
 */
import { WebSocket } from 'ws';
import type { AppHost } from '../../engine/session/contract.ts';
import { WarrenError } from '../../protocol/errors.ts';
import {
  type CommandAnswer,
  type StateChange,
  WEB_CLOSE_REFUSED,
  type WebClientMessage,
  type WebServerMessage,
  webClientMessage,
} from '../../protocol/face.ts';
import type { Access } from './access.ts';
import type { UiCounters, UiLimits } from './limits.ts';

type Hello = Extract<WebClientMessage, { t: 'hello' }>;
type Command = Extract<WebClientMessage, { t: 'command' }>;

/** What all connections of a server share. */
export interface ConnectionContext {
  app: AppHost;
  access: Access;
  counters: UiCounters;
  limits: UiLimits;
  log(message: string): void;
}

/** RFC 6455, section 7.4.1. */
const CLOSE_GOING_AWAY = 1001;
/** A tab that does not answer a close frame by then loses its TCP connection. */
const CLOSE_TIMEOUT_MS = 1_000;

export class Connection {
  readonly #context: ConnectionContext;
  readonly #socket: WebSocket;
  readonly #greeting: NodeJS.Timeout;
  #admitted = false;
  #unsubscribe: (() => void) | null = null;
  /** What changed while the last message was on its way: a slow tab gets the newest of it, not all of it. */
  #waiting: StateChange | null = null;
  #sending = false;
  /** Commands whose answer has not left. */
  #pending = 0;

  constructor(context: ConnectionContext, socket: WebSocket) {
    this.#context = context;
    this.#socket = socket;
    this.#greeting = setTimeout(() => this.#refuse(), context.limits.helloTimeoutMs);
    socket.on('message', (data, binary) => this.#receive(binary ? null : textOf(data)));
    // Broken frames and oversized ones: ws closes with the code of RFC 6455, and `close` follows.
    socket.on('error', () => context.counters.malformed++);
    socket.once('close', () => this.#stop());
  }

  /** The server ends. */
  dismiss(): void {
    this.#close(CLOSE_GOING_AWAY);
  }

  #receive(text: string | null): void {
    const json = text === null ? undefined : parseJson(text);
    const parsed = webClientMessage.safeParse(json);
    if (!this.#admitted) {
      if (parsed.success && parsed.data.t === 'hello') this.#hello(parsed.data);
      else this.#refuse();
    } else if (parsed.success && parsed.data.t === 'command') {
      this.#command(parsed.data);
    } else {
      this.#context.counters.malformed++;
      const id = idOf(json);
      if (id !== null) this.#answer(id, { ok: false, code: 'invalid' });
    }
  }

  #hello(hello: Hello): void {
    const token = this.#context.access.admit(hello);
    if (token === null) {
      this.#refuse();
      return;
    }
    clearTimeout(this.#greeting);
    this.#admitted = true;
    this.#send({ t: 'welcome', token });
    this.#unsubscribe = this.#context.app.subscribe((change) => this.#offer(change));
  }

  #command({ id, command }: Command): void {
    if (this.#pending >= this.#context.limits.pendingCommands) {
      // A refusal would be one more answer to keep for a tab that may never read any.
      this.#context.counters.malformed++;
      this.dismiss();
      return;
    }
    this.#pending++;
    this.#context.app
      .command(command)
      .then((result) => this.#answer(id, { ok: true, result: result ?? null }, () => this.#pending--))
      .catch((error: unknown) => this.#answer(id, this.#failure(error), () => this.#pending--));
  }

  /** A closed code and its message; what was not foreseen is for the log alone. */
  #failure(error: unknown): CommandAnswer {
    if (error instanceof WarrenError) return { ok: false, code: error.code, message: error.message };
    this.#context.log(`a command failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return { ok: false, code: 'internal' };
  }

  #answer(id: number, answer: CommandAnswer, sent?: () => void): void {
    this.#send({ t: 'answer', id, answer }, sent);
  }

  #offer(change: StateChange): void {
    this.#waiting = { ...this.#waiting, ...change };
    this.#flush();
  }

  /** One state message on its way at a time; ws calls back when the kernel has taken it. */
  #flush(): void {
    if (this.#sending || this.#waiting === null) return;
    const change = this.#waiting;
    this.#waiting = null;
    this.#sending = true;
    this.#send({ t: 'state', change }, () => {
      this.#sending = false;
      this.#flush();
    });
  }

  #send(message: WebServerMessage, sent?: () => void): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message), () => sent?.());
  }

  #refuse(): void {
    this.#context.counters.refused++;
    this.#close(WEB_CLOSE_REFUSED);
  }

  #close(code: number): void {
    this.#stop();
    this.#socket.removeAllListeners('message');
    this.#socket.close(code);
    const timer = setTimeout(() => this.#socket.terminate(), CLOSE_TIMEOUT_MS);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  #stop(): void {
    clearTimeout(this.#greeting);
    this.#unsubscribe?.();
    this.#unsubscribe = null;
    this.#waiting = null;
  }
}

function textOf(data: unknown): string | null {
  return Buffer.isBuffer(data) ? data.toString('utf8') : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The id of a command that is not well-formed otherwise, so that its sender can tell which it was. */
function idOf(json: unknown): number | null {
  const id = (json as { id?: unknown } | null | undefined)?.id;
  return typeof id === 'number' && Number.isSafeInteger(id) && id >= 0 ? id : null;
}
