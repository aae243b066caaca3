/**
 * The app in a browser: an `AppClient` over the WebSocket of `warren ui` (messages: protocol/face.ts).
 *
 * 1. The one-time code leaves the address bar before anything else runs; the token that it becomes stays in this tab.
 * 2. A connection says hello, is welcomed, gets the whole state, then what changes.
 * 3. A lost connection is tried again, ever more slowly. One that was refused is not: only a new address helps.
 */
import {
  type AppClient,
  type AppCommand,
  type CommandAnswer,
  FACE_VERSION,
  type StateChange,
  WEB_CLOSE_REFUSED,
  WEB_SOCKET_PATH,
  type WebClientMessage,
  type WebServerMessage,
  webServerMessage,
} from '../../protocol/face.ts';

const TOKEN_KEY = 'warren-token';
const FIRST_RETRY_MS = 250;
/** A person who starts Warren again should not wait longer for the page to notice. */
const LAST_RETRY_MS = 5_000;

/** As `AppClient`, and whether this page may ask at all. */
export interface WebClient extends AppClient {
  /** True once the server refused this tab: its address must be opened anew. Calls back at once and at every change. */
  onRefused(listener: (refused: boolean) => void): () => void;
  /** Ends the connection for good; idempotent. */
  close(): void;
}

/** What happens to a connection; nothing follows `closed`. */
export interface ConnectionEvents {
  opened(): void;
  received(data: unknown): void;
  closed(code: number): void;
}

export interface PageConnection {
  send(text: string): void;
  close(): void;
}

/** What the client uses of its page. */
export interface WebPage {
  /** `host:port` of the page. */
  readonly host: string;
  /** Takes the code out of the address bar; null when there is none. */
  takeCode(): string | null;
  /** Calls back when another address of the same page was opened in this tab. */
  onAddress(listener: () => void): void;
  readonly storage: {
    getItem(key: string): string | null;
    setItem(key: string, value: string): void;
    removeItem(key: string): void;
  };
  /** Calls back later, never before it returns. */
  connect(url: string, events: ConnectionEvents): PageConnection;
  /** 0 to 1, spreads the retries of several tabs. */
  random(): number;
}

export function createWebClient(page: WebPage = browserPage()): WebClient {
  return new SocketClient(page);
}

class SocketClient implements WebClient {
  readonly #page: WebPage;
  readonly #listeners = new Set<(change: StateChange) => void>();
  readonly #link = new Flag();
  readonly #refused = new Flag();
  readonly #waiting = new Map<number, (answer: CommandAnswer) => void>();
  #state: StateChange | null = null;
  #socket: PageConnection | null = null;
  #code: string | null;
  #nextId = 0;
  #failures = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(page: WebPage) {
    this.#page = page;
    this.#code = page.takeCode();
    page.onAddress(() => this.#newAddress());
    this.#connect();
  }

  subscribe(listener: (change: StateChange) => void): () => void {
    this.#listeners.add(listener);
    if (this.#state !== null) listener(this.#state);
    return () => this.#listeners.delete(listener);
  }

  command(command: AppCommand): Promise<CommandAnswer> {
    const socket = this.#socket;
    if (socket === null || !this.#link.value) return Promise.resolve({ ok: false, code: 'unreachable' });
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      send(socket, { t: 'command', id, command });
    });
  }

  onLink(listener: (up: boolean) => void): () => void {
    return this.#link.listen(listener);
  }

  onRefused(listener: (refused: boolean) => void): () => void {
    return this.#refused.listen(listener);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#socket?.close();
    this.#lose();
  }

  #connect(): void {
    if (this.#closed) return;
    clearTimeout(this.#retry);
    const socket = this.#page.connect(`ws://${this.#page.host}${WEB_SOCKET_PATH}`, {
      opened: () => this.#hello(socket),
      received: (data) => {
        if (this.#socket === socket) this.#receive(data);
      },
      closed: (code) => {
        if (this.#socket === socket) this.#ended(code);
      },
    });
    this.#socket = socket;
  }

  #hello(socket: PageConnection): void {
    const token = this.#page.storage.getItem(TOKEN_KEY);
    send(socket, {
      t: 'hello',
      version: FACE_VERSION,
      ...(this.#code === null ? {} : { code: this.#code }),
      ...(token === null ? {} : { token }),
    });
  }

  #receive(data: unknown): void {
    const message = parse(data);
    if (message === null) return;
    if (message.t === 'welcome') this.#welcome(message.token);
    else if (message.t === 'state') this.#publish(message.change);
    else this.#answer(message.id, message.answer);
  }

  #welcome(token: string): void {
    this.#page.storage.setItem(TOKEN_KEY, token);
    this.#code = null;
    this.#failures = 0;
    this.#refused.set(false);
    this.#link.set(true);
  }

  #publish(change: StateChange): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener(change);
  }

  #answer(id: number, answer: CommandAnswer): void {
    this.#waiting.get(id)?.(answer);
    this.#waiting.delete(id);
  }

  #ended(code: number): void {
    this.#lose();
    if (code === WEB_CLOSE_REFUSED) {
      this.#code = null;
      this.#page.storage.removeItem(TOKEN_KEY);
      this.#refused.set(true);
      return;
    }
    const longest = Math.min(FIRST_RETRY_MS * 2 ** this.#failures, LAST_RETRY_MS);
    this.#failures++;
    this.#retry = setTimeout(() => this.#connect(), longest * (0.5 + this.#page.random() / 2));
  }

  /** Whoever waits for an answer learns that none will come. */
  #lose(): void {
    this.#socket = null;
    this.#link.set(false);
    for (const resolve of this.#waiting.values()) resolve({ ok: false, code: 'unreachable' });
    this.#waiting.clear();
  }

  /** A printed address that is pasted into this tab changes only the fragment: no reload follows. */
  #newAddress(): void {
    const code = this.#page.takeCode();
    if (code === null) return;
    this.#code = code;
    this.#failures = 0;
    const old = this.#socket;
    this.#lose();
    old?.close();
    this.#connect();
  }
}

/** A boolean that is told to its listeners at once and at every change. */
class Flag {
  value = false;
  readonly #listeners = new Set<(value: boolean) => void>();

  set(value: boolean): void {
    if (value === this.value) return;
    this.value = value;
    for (const listener of this.#listeners) listener(value);
  }

  listen(listener: (value: boolean) => void): () => void {
    this.#listeners.add(listener);
    listener(this.value);
    return () => this.#listeners.delete(listener);
  }
}

function send(socket: PageConnection, message: WebClientMessage): void {
  socket.send(JSON.stringify(message));
}

/** Null for what is no message of ours. */
function parse(data: unknown): WebServerMessage | null {
  if (typeof data !== 'string') return null;
  try {
    const parsed = webServerMessage.safeParse(JSON.parse(data));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

function browserPage(): WebPage {
  return {
    host: location.host,
    takeCode() {
      const code = new URLSearchParams(location.hash.slice(1)).get('code');
      if (code !== null) history.replaceState(null, '', location.pathname);
      return code;
    },
    onAddress: (listener) => addEventListener('hashchange', listener),
    storage: sessionStorage,
    connect(url, events) {
      const socket = new WebSocket(url);
      socket.addEventListener('open', () => events.opened());
      socket.addEventListener('message', ({ data }) => events.received(data));
      socket.addEventListener('close', ({ code }) => events.closed(code));
      return socket;
    },
    random: Math.random,
  };
}
