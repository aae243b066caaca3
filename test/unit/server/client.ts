/** A bare client of the rendezvous protocol: sends what it is told, right or wrong, and keeps what comes. */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { type ClientOptions, WebSocket } from 'ws';
import {
  type BinaryFrame,
  type ClientMessage,
  decodeFrame,
  encodeFrame,
  FRAME_RELAY,
  FRAME_SIGNAL,
  type ServerMessage,
  serverMessage,
  type Welcome,
} from '../../../protocol/server.ts';
import type { RunningServer } from '../../../server/server.ts';
import { until } from './until.ts';

export const TOPIC = 'aa'.repeat(32);
export const OTHER_TOPIC = 'bb'.repeat(32);

export interface HelloChanges {
  topic?: string;
  session?: string;
  versions?: number[];
  resume?: string;
}

export class Client {
  readonly socket: WebSocket;
  readonly messages: ServerMessage[] = [];
  readonly frames: BinaryFrame[] = [];
  closed: { code: number; reason: string } | null = null;
  welcome: Welcome | null = null;

  constructor(url: string, options: ClientOptions = {}) {
    this.socket = new WebSocket(url, { perMessageDeflate: false, ...options });
    this.socket.on('message', (data, isBinary) => this.#receive(data as Buffer, isBinary));
    this.socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
    });
    this.socket.on('error', () => undefined);
  }

  /** Below the WebSocket, for bytes that ws would not send. */
  get tcp(): Socket {
    const { _socket: socket } = this.socket as unknown as { _socket: Socket };
    return socket;
  }

  get id(): string {
    if (this.welcome === null) throw new Error('not welcomed');
    return this.welcome.member;
  }

  async opened(): Promise<this> {
    await until(() => this.socket.readyState === WebSocket.OPEN);
    return this;
  }

  async joined(changes: HelloChanges = {}): Promise<this> {
    await this.opened();
    this.say({ t: 'hello', versions: [1], topic: TOPIC, session: randomBytes(16).toString('hex'), ...changes });
    await until(() => this.welcome !== null);
    return this;
  }

  say(message: ClientMessage): void {
    this.socket.send(JSON.stringify(message));
  }

  signal(to: string, payload: Uint8Array | string): void {
    this.socket.send(encodeFrame({ type: FRAME_SIGNAL, member: to, payload: Buffer.from(payload) }));
  }

  relay(to: string, payload: Uint8Array | string): void {
    this.socket.send(encodeFrame({ type: FRAME_RELAY, member: to, payload: Buffer.from(payload) }));
  }

  /** The server has worked through everything sent before. */
  async settled(): Promise<void> {
    let answered = false;
    this.socket.once('pong', () => {
      answered = true;
    });
    this.socket.ping();
    await until(() => answered);
  }

  got<T extends ServerMessage['t']>(t: T): Extract<ServerMessage, { t: T }>[] {
    return this.messages.filter((message): message is Extract<ServerMessage, { t: T }> => message.t === t);
  }

  /** Payloads of the frames, as text. */
  texts(): string[] {
    return this.frames.map(({ payload }) => Buffer.from(payload).toString());
  }

  async error(): Promise<string> {
    await until(() => this.got('error').length > 0);
    return this.got('error')[0]?.code ?? '';
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (isBinary) {
      const frame = decodeFrame(data);
      if (frame === null) throw new Error('the server sent a broken frame');
      this.frames.push(frame);
      return;
    }
    const message = serverMessage.parse(JSON.parse(data.toString()));
    this.messages.push(message);
    if (message.t === 'welcome') this.welcome = message;
  }
}

export function urlOf(server: RunningServer, scheme: 'ws' | 'wss' = 'ws'): string {
  const host = server.host.includes(':') ? `[${server.host}]` : server.host;
  return `${scheme}://${host}:${server.port}/v1`;
}
