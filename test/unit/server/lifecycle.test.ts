import { readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { describe, expect, test } from 'vitest';
import { startServer } from '../../../server/server.ts';
import { Client, urlOf } from './client.ts';
import { connect, pair, running } from './running.ts';
import { until } from './until.ts';

const pem = (name: string) => readFileSync(new URL(`tls/${name}.pem`, import.meta.url), 'utf8');
const TLS = { cert: pem('cert'), key: pem('key') };

async function scrape(port: number, path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: response.status, text: await response.text() };
}

function forwarded(list: string): { headers: Record<string, string> } {
  return { headers: { 'X-Forwarded-For': list } };
}

describe('draining', () => {
  test('tells members, keeps serving them, then says draining and closes', async () => {
    const server = await running({ drainMs: 1_500 });
    const [a, b] = await pair(server, true);
    const closing = server.close();
    await until(() => a.got('going-away').length === 1 && b.got('going-away').length === 1);
    expect(a.got('going-away')[0]?.retryAfterMs).toBeLessThan(2);
    a.relay(b.id, 'one more thing');
    await until(() => b.texts().includes('one more thing'));
    await closing;
    await until(() => a.closed !== null && b.closed !== null);
    expect([await a.error(), a.closed]).toEqual(['draining', { code: 1001, reason: 'draining' }]);
  });

  test('ends early when everyone has left', async () => {
    const server = await running({ drainMs: 60_000 });
    const [a, b] = await pair(server);
    const closing = server.close();
    await until(() => a.got('going-away').length + b.got('going-away').length === 2);
    a.socket.close();
    b.socket.close();
    await closing;
  });

  test('frees the port at once, so that a successor can take it', async () => {
    const server = await running({ drainMs: 60_000 });
    const member = await connect(server).joined();
    const closing = server.close();
    await until(() => member.got('going-away').length === 1);
    const successor = await running({ port: server.port });
    await connect(successor).joined();
    member.socket.close();
    await closing;
  });

  test('is one drain however often it is asked for, and ends clients that never answer', async () => {
    const server = await running({ drainMs: 20 });
    let idleEnded = false;
    const idle = connectTcp(server.port, '127.0.0.1');
    idle.resume().on('close', () => {
      idleEnded = true;
    });
    const mute = await connect(server).joined();
    mute.socket.pause();
    await Promise.all([server.close(), server.close()]);
    await server.close();
    expect(server.connections).toBe(0);
    await until(() => idleEnded);
  });

  test('a request that was on its way is told so', async () => {
    const server = await running({ drainMs: 60_000 });
    const late = connectTcp(server.port, '127.0.0.1');
    late.write('GET /v1 HTTP/1.1\r\nHost: x\r\n');
    const member = await connect(server).joined();
    const closing = server.close();
    await until(() => member.got('going-away').length === 1);
    let answer = '';
    late.on('data', (chunk) => {
      answer += chunk;
    });
    late.write('Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
    await until(() => answer.endsWith('}'));
    expect(answer).toMatch(/^HTTP\/1.1 503 .*Retry-After: 5.*"draining"/s);
    member.socket.close();
    await closing;
  });
});

describe('starting', () => {
  test('on a taken port is port-taken, and what was bound before is free again', async () => {
    const server = await running();
    const second = { host: '127.0.0.1', port: server.port, stunPort: 0, metrics: { host: '127.0.0.1', port: 0 } };
    await expect(startServer(second)).rejects.toMatchObject({ code: 'port-taken' });
    const stun = { host: '127.0.0.1', port: 0, stunPort: server.stun.port };
    await expect(startServer(stun)).rejects.toMatchObject({ code: 'port-taken' });
  });

  test.each([
    ['a network that is none', { trustProxy: ['10.0.0.0/33'] }],
    ['an alternate IP of another family', { alternateIp: '::1' }],
    ['an alternate IP that is the first', { alternateIp: '127.0.0.1' }],
    ['an alternate IP that is no address', { alternateIp: 'there' }],
    ['a key that is none', { tls: { cert: 'x', key: 'y' } }],
    ['a port beyond all', { port: 70_000 }],
    ['an address of another host', { host: '192.0.2.1' }],
  ])('with %s is usage', async (_, options) => {
    const started = startServer({ host: '127.0.0.1', port: 0, stunPort: 0, ...options });
    await expect(started).rejects.toMatchObject({ code: 'usage' });
  });

  test('by name listens where the name leads', async () => {
    const server = await running({ host: 'localhost' });
    expect(['127.0.0.1', '::1']).toContain(server.host);
    await connect(server).joined();
  });

  test('on IPv6 serves IPv6', async () => {
    const server = await running({ host: '::1' });
    const member = await connect(server).joined();
    expect(member.welcome?.observed.ip).toBe('::1');
  });
});

describe('wss', () => {
  test('serves members with its certificate', async () => {
    const server = await running({ tls: TLS });
    const client = new Client(urlOf(server, 'wss'), { ca: TLS.cert });
    const other = new Client(urlOf(server, 'wss'), { ca: TLS.cert });
    await client.joined();
    await other.joined();
    client.say({ t: 'allow', member: other.id });
    await client.settled();
    for (let n = 0; n < 100; n++) other.relay(client.id, `${n}`);
    await until(() => client.frames.length === 100);
    expect(client.texts()).toEqual(Array.from({ length: 100 }, (_, n) => `${n}`));
    client.socket.close();
    other.socket.close();
  });

  test('a TLS connection that says nothing does not hold up the end', async () => {
    const server = await running({ tls: TLS });
    const idle = connectTcp(server.port, '127.0.0.1');
    idle.on('error', () => undefined);
    await until(() => idle.readyState === 'open');
    await server.close();
  });
});

describe('behind a proxy', () => {
  test('X-Forwarded-For counts only from a trusted proxy', async () => {
    const [believing, sceptical] = [await running({ trustProxy: ['127.0.0.0/8'] }), await running()];
    const known = await connect(believing, forwarded('198.51.100.7')).joined();
    const unknown = await connect(sceptical, forwarded('198.51.100.7')).joined();
    expect(known.welcome?.observed.ip).toBe('198.51.100.7');
    expect(unknown.welcome?.observed.ip).toBe('127.0.0.1');
  });

  test('the last address that is no trusted proxy counts, not what the client wrote before it', async () => {
    const server = await running({ trustProxy: ['127.0.0.1', '203.0.113.0/24'] });
    const member = await connect(server, forwarded('1.2.3.4, 198.51.100.7 , 203.0.113.9')).joined();
    expect(member.welcome?.observed.ip).toBe('198.51.100.7');
  });

  test('nonsense in the header leaves the proxy as the source', async () => {
    const server = await running({ trustProxy: ['127.0.0.1'] });
    const member = await connect(server, forwarded('unknown')).joined();
    expect(member.welcome?.observed.ip).toBe('127.0.0.1');
  });

  test('limits and tags go by the client: an IPv6 /64 is one source', async () => {
    const server = await running({ trustProxy: ['127.0.0.1'], limits: { connectionsPerSource: 2 } });
    const a = await connect(server, forwarded('2001:db8:1:2::1')).joined();
    const b = await connect(server, forwarded('2001:db8:1:2:ffff::9')).joined();
    const c = await connect(server, forwarded('2001:db8:1:3::1')).joined();
    const d = await connect(server, forwarded('::ffff:198.51.100.7')).joined();
    const sources = new Map(d.welcome?.members.map(({ member, source }) => [member, source]));
    expect(sources.get(a.id)).toBe(sources.get(b.id));
    expect(sources.get(c.id)).not.toBe(sources.get(a.id));
    expect(d.welcome?.observed.ip).toBe('198.51.100.7');
    const third = connect(server, forwarded('2001:db8:1:2::3'));
    await until(() => server.counters.errors['too-many-connections'] === 1);
    expect(third.welcome).toBeNull();
  });
});

describe('health and metrics', () => {
  test('are on their own port', async () => {
    const server = await running({ metrics: { host: '127.0.0.1', port: 0 }, drainMs: 60_000 });
    const port = server.metrics?.port ?? 0;
    const [a, b] = await pair(server, true);
    a.relay(b.id, '12345');
    a.relay('00'.repeat(8), 'x');
    await until(() => b.frames.length === 1);
    await a.settled();
    const { status, text } = await scrape(port, '/metrics');
    expect(status).toBe(200);
    for (const line of [
      'warren_connections 2',
      'warren_members 2',
      'warren_rooms 1',
      'warren_welcomed_total 2',
      'warren_relay_frames_total 1',
      'warren_relay_bytes_total 5',
      'warren_dropped_total{reason="no-such-member"} 1',
      'warren_errors_total{code="too-slow"} 0',
      'warren_stun_total{outcome="answered"} 0',
    ]) {
      expect(text).toContain(`${line}\n`);
    }
    expect(await scrape(port, '/healthz')).toEqual({ status: 200, text: 'ok\n' });
    expect((await scrape(port, '/')).status).toBe(404);

    const closing = server.close();
    await until(() => a.got('going-away').length === 1);
    expect(await scrape(port, '/healthz')).toEqual({ status: 503, text: 'draining\n' });
    a.socket.close();
    b.socket.close();
    await closing;
  });

  test('count twice the same when asked twice', async () => {
    const server = await running({ metrics: { host: '127.0.0.1', port: 0 } });
    await connect(server).joined();
    const texts = [1, 2].map(() => scrape(server.metrics?.port ?? 0, '/metrics'));
    for (const { text } of await Promise.all(texts)) expect(text).toContain('warren_welcomed_total 1\n');
  });
});
