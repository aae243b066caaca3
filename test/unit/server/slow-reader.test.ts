import { describe, expect, test } from 'vitest';
import { pair, running } from './running.ts';
import { until } from './until.ts';

/** Above every burst that a test sends; kernel buffers of loopback swallow megabytes first. */
const UNLIMITED = { signalsPerSecond: 1e9, relayBytesPerSecond: 1e9 };
const ROUNDS = 100;

function handshake(n: number): Buffer {
  const lengths = [148, 92, 64];
  const bytes = Buffer.alloc(lengths[n % 3] ?? 0);
  bytes[0] = 1 + (n % 3);
  bytes.writeUInt16BE(n, 4);
  return bytes;
}

function data(n: number): Buffer {
  const bytes = Buffer.alloc(1_600);
  bytes[0] = 4;
  bytes.writeUInt32BE(n, 4);
  return bytes;
}

describe('a reader that stands still', () => {
  test('loses its oldest data, but no WireGuard handshake and not the newest data', async () => {
    const server = await running({ limits: UNLIMITED });
    const [a, b] = await pair(server, true);
    b.socket.pause();
    let sent = 0;
    for (let round = 0; round < ROUNDS; round++) {
      for (let n = 0; n < 150; n++) a.relay(b.id, data(sent++));
      a.relay(b.id, handshake(round));
      await until(() => a.socket.bufferedAmount === 0);
    }
    await a.settled();
    expect(server.counters.dropped['slow-reader']).toBeGreaterThan(100);
    b.socket.resume();
    await until(() => b.frames.length === sent + ROUNDS - server.counters.dropped['slow-reader']);

    const payloads = b.frames.map(({ payload }) => Buffer.from(payload));
    const shaken = payloads.filter((payload) => payload[0] !== 4).map((payload) => payload.readUInt16BE(4));
    const numbers = payloads.filter((payload) => payload[0] === 4).map((payload) => payload.readUInt32BE(4));
    expect(shaken).toEqual(Array.from({ length: ROUNDS }, (_, n) => n));
    expect(numbers.at(-1)).toBe(sent - 1);
    expect(numbers).toEqual(numbers.toSorted((x, y) => x - y));
    expect(b.closed).toBeNull();
  });

  test('has the small packets first, and loses none of them to bulk', async () => {
    const server = await running({ limits: UNLIMITED });
    const [a, b] = await pair(server, true);
    b.socket.pause();
    let sent = 0;
    while (server.counters.dropped['slow-reader'] === 0) {
      for (let n = 0; n < 150; n++) a.relay(b.id, data(sent++));
      await a.settled();
    }
    for (let n = 0; n < 50; n++) a.relay(b.id, data(n).subarray(0, 200));
    await a.settled();
    const lost = server.counters.dropped['slow-reader'];
    b.socket.resume();
    await until(() => b.frames.length === sent + 50 - lost);

    const small = b.frames
      .map(({ payload }, index) => (payload.length === 200 ? index : -1))
      .filter((index) => index >= 0);
    const behind = b.frames.length - 1 - Math.max(...small);
    expect(small).toHaveLength(50);
    expect(behind).toBeGreaterThan(100); // what waited before they came: 256 KiB
  });

  test('is closed as too-slow when its signals pile up, and the others go on', async () => {
    const server = await running({ limits: UNLIMITED });
    const [a, b] = await pair(server, true);
    b.socket.pause();
    let sent = 0;
    while (server.counters.errors['too-slow'] === 0 && sent++ < 5_000) {
      a.signal(b.id, Buffer.alloc(16_000));
      await a.settled();
    }
    await until(() => a.got('left').length === 1);
    expect(server.counters.errors['too-slow']).toBe(1);
    expect([a.got('left')[0]?.member, server.members]).toEqual([b.id, 1]);
    b.socket.resume();
    await until(() => b.closed !== null);
  });

  test('does not slow down anyone else', async () => {
    const server = await running({ limits: UNLIMITED });
    const [a, b] = await pair(server, true);
    const [c, d] = await pair(server, true);
    b.socket.pause();
    for (let n = 0; n < 8_000; n++) a.relay(b.id, data(n));
    for (let n = 0; n < 50; n++) c.relay(d.id, data(n));
    await until(() => d.frames.length === 50);
    expect(c.closed).toBeNull();
  });
});
