import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { RelayOutbox } from '../../../engine/net/rendezvous/outbox.ts';

/** A socket that takes what it is given only when it is told to: what `ws` does while the network is slow. */
class SlowSocket {
  readonly OPEN = 1;
  readyState = 1;
  bufferedAmount = 0;
  readonly sent: Uint8Array[] = [];
  readonly #waiting: { bytes: number; written: () => void }[] = [];

  send(frame: Uint8Array, written: () => void): void {
    this.sent.push(frame);
    this.bufferedAmount += frame.length;
    this.#waiting.push({ bytes: frame.length, written });
  }

  /** The network takes everything. */
  drain(): void {
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      this.bufferedAmount -= next.bytes;
      next.written();
    }
  }
}

function rig() {
  const socket = new SlowSocket();
  const outbox = new RelayOutbox(() => Date.now());
  const send = (length: number, mark: number, { to = 'bob', express }: { to?: string; express?: boolean } = {}) =>
    outbox.send(socket as unknown as WebSocket, { to, bytes: new Uint8Array(length).fill(mark), express });
  return { socket, outbox, send, marks: () => socket.sent.map((frame) => frame[0]) };
}

describe('relay frames to a slow server', () => {
  test('leave at once while the socket keeps up', () => {
    const { send, marks } = rig();
    for (let mark = 1; mark <= 5; mark++) expect(send(1_400, mark)).toBe(true);
    expect(marks()).toEqual([1, 2, 3, 4, 5]);
  });

  test('small ones pass the others, each kind stays in its order', () => {
    const { socket, send, marks } = rig();
    for (let mark = 1; mark <= 20; mark++) send(1_400, mark);
    const ahead = socket.sent.length;
    expect(socket.bufferedAmount).toBeLessThan(10_000);
    send(150, 101);
    send(150, 102);
    socket.drain();
    expect(marks().slice(ahead, ahead + 2)).toEqual([101, 102]);
    expect(marks().filter((mark) => mark! <= 20)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
  });

  test('what is too much is dropped, and takes no room from small ones', () => {
    const { socket, send, marks } = rig();
    const taken = Array.from({ length: 100 }, () => send(1_400, 1)).filter(Boolean).length;
    expect(taken).toBeLessThan(60);
    for (let n = 0; n < 50; n++) expect(send(150, 2)).toBe(true);
    socket.drain();
    expect(marks()).toHaveLength(taken + 50);
  });

  test('the device knows better than a length which ones pass', () => {
    const { socket, send, marks } = rig();
    for (let mark = 1; mark <= 20; mark++) send(1_400, mark);
    const ahead = socket.sent.length;
    send(150, 101, { express: false });
    send(1_200, 102, { express: true });
    socket.drain();
    expect(marks()[ahead]).toBe(102);
    expect(marks().at(-1)).toBe(101);
  });

  test('a download of one member leaves room and every other turn to another', () => {
    const { socket, send, marks } = rig();
    for (let n = 0; n < 100; n++) send(1_400, 1);
    const ahead = socket.sent.length;
    for (let n = 0; n < 10; n++) expect(send(1_400, 2, { to: 'cat' })).toBe(true);
    socket.drain();
    const turns = marks().slice(ahead, ahead + 20);
    expect(turns.filter((mark) => mark === 2)).toHaveLength(10);
  });

  test('nothing is sent to a socket that has closed', () => {
    const { socket, send } = rig();
    for (let n = 0; n < 20; n++) send(1_400, 1);
    const before = socket.sent.length;
    socket.readyState = 3;
    socket.drain();
    expect(socket.sent).toHaveLength(before);
  });
});

describe('a server that lets through a megabyte a second', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function paced() {
    const { outbox, socket, ...rest } = rig();
    outbox.pace(1_000_000);
    /** The network takes everything at once, for so long. */
    const run = (ms: number, each: () => void = () => {}) => {
      for (let passed = 0; passed < ms; passed++) {
        each();
        socket.drain();
        vi.advanceTimersByTime(1);
        socket.drain();
      }
    };
    const bytes = () => socket.sent.reduce((sum, frame) => sum + frame.length, 0);
    return { ...rest, outbox, socket, run, bytes };
  }

  test('gets bulk at that rate, however much comes', () => {
    const { send, run, bytes } = paced();
    run(1_000, () => {
      for (let n = 0; n < 4; n++) send(1_400, 1);
    });
    expect(bytes()).toBeLessThan(1_010_000);
    expect(bytes()).toBeGreaterThan(950_000);
  });

  test('gets a small frame the moment it comes', () => {
    const { send, run, marks } = paced();
    run(100, () => {
      for (let n = 0; n < 4; n++) send(1_400, 1);
    });
    for (let n = 1; n <= 20; n++) {
      send(150, 2);
      expect(marks().filter((mark) => mark === 2)).toHaveLength(n);
    }
  });

  test('gets no more when small frames came as well', () => {
    const { send, run, bytes } = paced();
    run(1_000, () => {
      for (let n = 0; n < 4; n++) send(1_400, 1);
      send(150, 2);
    });
    expect(bytes()).toBeLessThan(1_010_000);
  });

  test('gets nothing after the end', () => {
    const { outbox, send, run, bytes } = paced();
    run(100, () => {
      for (let n = 0; n < 4; n++) send(1_400, 1);
    });
    const before = bytes();
    outbox.close();
    run(100);
    expect(bytes()).toBe(before);
    expect(vi.getTimerCount()).toBe(0);
  });
});
