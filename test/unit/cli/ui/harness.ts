/** A browser UI server on loopback around an app double, and the requests that browsers and attackers send it. */
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { WebSocket } from 'ws';
import type { Asset, Assets } from '../../../../cli/ui/assets.ts';
import { startUiServer, type UiServer, type UiServerOptions } from '../../../../cli/ui/server.ts';
import type { CommandAnswer, WebServerMessage } from '../../../../protocol/face.ts';
import { until } from '../../../until.ts';
import { AppDouble } from './app-double.ts';

const asset = (text: string, type: string, immutable: boolean): Asset => ({
  bytes: Buffer.from(text),
  type,
  immutable,
});

export const ASSETS: Assets = new Map([
  ['/', asset('<!doctype html><title>Warren</title>', 'text/html; charset=utf-8', false)],
  ['/assets/index-B1.js', asset('globalThis.here = 1;', 'text/javascript; charset=utf-8', true)],
]);

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

export class Ui {
  readonly app = new AppDouble();
  readonly logged: string[] = [];
  readonly tabs: Tab[] = [];
  #server: UiServer | null = null;

  static async start(options: Partial<UiServerOptions> = {}): Promise<Ui> {
    const ui = new Ui();
    const log = (line: string) => void ui.logged.push(line);
    ui.#server = await startUiServer({ app: ui.app, assets: ASSETS, port: 0, log, ...options });
    return ui;
  }

  get server(): UiServer {
    if (this.#server === null) throw new Error('not started');
    return this.#server;
  }

  get host(): string {
    return `127.0.0.1:${this.server.port}`;
  }

  newCode(): string {
    return new URL(this.server.newAddress()).hash.slice('#code='.length);
  }

  /** The path goes out as it is: Node's client does not tidy it. */
  request(path: string, { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {}) {
    return new Promise<Answer>((resolve, reject) => {
      const options = { host: '127.0.0.1', port: this.server.port, path, method, agent: false, headers };
      const request = httpRequest(options, (response) => {
        let body = '';
        response.on('data', (chunk) => (body += String(chunk)));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      });
      request.on('error', reject);
      request.end();
    });
  }

  /** A WebSocket as our own page opens it, unless told otherwise. */
  tab(headers: Record<string, string> = { origin: `http://${this.host}` }, path = '/face'): Tab {
    const tab = new Tab(new WebSocket(`ws://${this.host}${path}`, { headers, perMessageDeflate: false }));
    this.tabs.push(tab);
    return tab;
  }

  /** A tab that was let in with a fresh code. */
  async admitted(): Promise<Tab> {
    const tab = this.tab();
    await tab.opened;
    tab.send({ t: 'hello', version: 1, code: this.newCode() });
    await until('a welcome and the state', () => tab.messages.length >= 2);
    return tab;
  }

  async close(): Promise<void> {
    for (const tab of this.tabs) tab.socket.terminate();
    await this.server.close();
  }
}

export class Tab {
  readonly socket: WebSocket;
  readonly messages: WebServerMessage[] = [];
  readonly opened: Promise<void>;
  /** The close code, or the HTTP status that the upgrade was answered with. */
  readonly ended: Promise<number>;
  #look: () => void = () => {};

  constructor(socket: WebSocket) {
    this.socket = socket;
    this.opened = new Promise((resolve) => socket.once('open', () => resolve()));
    this.ended = new Promise((resolve) => {
      socket.once('close', (code) => resolve(code));
      socket.once('unexpected-response', (request, response) => {
        resolve(response.statusCode ?? 0);
        request.destroy();
      });
    });
    socket.on('error', () => {}); // `ended` tells
    socket.on('message', (data) => {
      if (Buffer.isBuffer(data)) this.messages.push(JSON.parse(data.toString()) as WebServerMessage);
      this.#look();
    });
  }

  /** Resolves with the answer to a command, as soon as it comes. */
  answerTo(id: number): Promise<CommandAnswer> {
    return new Promise((resolve) => {
      this.#look = () => {
        const found = this.answers().find((answer) => answer.id === id);
        if (found !== undefined) resolve(found.answer);
      };
      this.#look();
    });
  }

  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  answers(): Extract<WebServerMessage, { t: 'answer' }>[] {
    return this.messages.filter((message) => message.t === 'answer');
  }

  changes() {
    return this.messages.flatMap((message) => (message.t === 'state' ? [message.change] : []));
  }

  get token(): string | null {
    const welcome = this.messages.find((message) => message.t === 'welcome');
    return welcome?.t === 'welcome' ? welcome.token : null;
  }
}
