import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { acquireLock, lockHolder } from '../../../engine/net/state/lock.ts';
import { isSavedRoom } from '../../../engine/net/state/saved-room.ts';
import { type Snapshot, snapshot } from '../../../protocol/app.ts';
import { decodeInvite, encodeInvite } from '../../../protocol/invite.ts';
import { runHere } from './in-process.ts';
import { Warren, warren } from './launcher.ts';

const WAIT = { timeout: 20_000, interval: 50 };
let directory: string;
let state: string;
let passwordFile: string;
const running: Warren[] = [];

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'warren-cli-'));
  passwordFile = join(directory, 'password');
  writeFileSync(passwordFile, 'correct horse\n');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let tests = 0;
function freshState(): string {
  state = join(directory, `state-${++tests}`);
  return state;
}
afterEach(async () => {
  for (const command of running.splice(0)) {
    command.child.kill('SIGKILL');
    await command.finished;
  }
});

function start(...words: string[]): Warren {
  const command = new Warren(words);
  running.push(command);
  return command;
}

describe('a command line that cannot be meant', () => {
  it.each([
    [[], /^Usage: warren/],
    [['fly'], /unknown command 'fly' \(usage\)/],
    [['status', '--bogus'], /unknown option '--bogus' \(usage\)\n {2}see: warren status --help/],
    [['up', '--password', 'secret'], /unknown option '--password'/],
    [['up', '--room', 'r', '--server', 'ws://h', '--ui', '70000'], /--ui/],
    [['ui', '--port', 'x'], /--port/],
    [['serve', '--redis', 'redis://h'], /unknown option '--redis'/],
    [['serve', '--turn', 'turn:h'], /unknown option '--turn'/],
    [['up'], /which room/],
    [['up', '--room', 'r'], /which rendezvous server/],
    [['up', '--room', 'r', '--server', 'warren.example'], /a URL such as/],
    [['up', '--room', 'r', '--server', 'ws://h', '--udp-port', '65536'], /whole number from 0 to 65535/],
    [['up', '--room', 'r', '--server', 'ws://h', '--interface', 'a/b'], /interface name/],
    [['up', '--room', 'r', '--server', 'ws://h', '--ipv4', '10.0.0.256'], /IPv4 address/],
    [['up', '--room', 'r', '--server', 'ws://h', '--log-level', 'loud'], /debug, info, warn, error/],
    [['up', '--room', 'r', '--server', 'ws://h', '--password-file', '/none'], /cannot read \/none/],
    [['up', '--room', 'r', '--server', 'ws://h', '--password-env', 'NONE'], /NONE is not set/],
    [['up', '--password-file', 'f', '--password-env', 'V'], /cannot be used with/],
    [['up', '--room', 'r', '--invite-file', 'f'], /exclude each other/],
    [['serve', '--listen', 'nowhere'], /HOST:PORT is needed/],
    [['serve', '--listen', '127.0.0.1:0', '--tls-cert', 'x'], /go together/],
    [['ping', 'bob', '--count', '0'], /whole number from 1/],
    [['set', 'hard-nat', 'maybe'], /on, off/],
    [['set', 'gravity', 'off'], /port-mapping, hard-nat/],
    [['netcheck'], /whom to ask/],
    [['netcheck', '--stun', 'nohost'], /HOST:PORT is needed/],
  ])('%j exits 2 and says why', async (words, why) => {
    const where = words[0] === 'up' && words.length > 1 ? ['--state-dir', freshState()] : [];
    const { code, err, out } = await runHere([...words, ...where]);
    expect(err).toMatch(why);
    expect(code).toBe(2);
    expect(out).toBe('');
  });

  it('--help exits 0', async () => {
    const { code, out } = await warren('up', '--help');
    expect(code).toBe(0);
    expect(out).toContain('--invite-file');
  });

  it('exits 2 as a process too, with nothing on stdout', async () => {
    const { code, err, out } = await warren('up', '--password', 'secret');
    expect(err).toBe("warren: unknown option '--password' (usage)\n  see: warren up --help\n");
    expect({ code, out }).toEqual({ code: 2, out: '' });
  });

  it('with five servers is refused', async () => {
    const five = Array.from({ length: 5 }, (_, i) => ['--server', `ws://h${i}`]).flat();
    expect(await runHere(['up', '--room', 'r', ...five])).toMatchObject({
      code: 2,
      err: expect.stringContaining('at most 4'),
    });
  });
});

describe('the launcher', () => {
  it('says what to run in a checkout that is not built', () => {
    const checkout = join(directory, 'checkout');
    mkdirSync(join(checkout, 'cli'), { recursive: true });
    writeFileSync(join(checkout, 'package.json'), '{"type":"module"}');
    copyFileSync(new URL('../../../cli/warren', import.meta.url), join(checkout, 'cli/warren'));
    const { status, stderr } = spawnSync(process.execPath, [join(checkout, 'cli/warren'), 'status'], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('warren: this checkout is not built\n  run: npm ci && npm run build\n');
    expect(status).toBe(1);
  });

  it('may be started through a link from anywhere', () => {
    const link = join(directory, 'warren');
    symlinkSync(fileURLToPath(new URL('../../../cli/warren', import.meta.url)), link);
    const { status, stdout } = spawnSync(link, ['--help'], { encoding: 'utf8', cwd: directory });
    expect(stdout).toContain('Usage: warren');
    expect(status).toBe(0);
  });
});

describe('doctor', () => {
  it('judges this machine check by check, and its exit code says whether all is well', async () => {
    const { code, out } = await warren('doctor', '--json', '--state-dir', freshState());
    const findings = out
      .split('\n')
      .map((line) => JSON.parse(line) as { check: string; result: string; detail: string });
    expect(findings.map(({ check }) => check)).toEqual(['node', 'tunnel', 'state', 'clock', 'engine', 'names']);
    const result = Object.fromEntries(findings.map(({ check, result: found }) => [check, found]));
    expect(result).toMatchObject({ node: 'ok', state: 'ok', clock: 'ok', engine: 'note' });
    expect(code).toBe(result.tunnel === 'ok' ? 0 : 1);
    expect(readdirSync(state)).toEqual(['machine.key']);
  });

  it('names a server that is not there, and a state directory that cannot be used', async () => {
    const file = join(directory, 'a-file');
    writeFileSync(file, '');
    const { code, out } = await warren('doctor', '--server', 'ws://127.0.0.1:1', '--state-dir', join(file, 'state'));
    expect(code).toBe(1);
    expect(out).toMatch(/^bad +server +ws:\/\/127\.0\.0\.1:1: unreachable/m);
    expect(out).toMatch(/^bad +state .*not a directory/m);
  });
});

describe('without a running engine', () => {
  it('status says off, in words and as a snapshot', async () => {
    expect(await warren('status', '--state-dir', freshState())).toMatchObject({
      code: 0,
      out: expect.stringContaining('off'),
    });
    const { out } = await warren('status', '--json', '--state-dir', state);
    expect(snapshot.parse(JSON.parse(out))).toMatchObject({ version: 1, state: 'off', room: null, peers: [] });
  });

  it.each([['down'], ['ping', 'bob'], ['invite'], ['block', 'bob'], ['unblock', 'bob']])(
    '%s says so',
    async (...words) => {
      const { code, err } = await runHere([...words, '--state-dir', freshState()]);
      expect(code).toBe(1);
      expect(err).toMatch(/^warren: .*\(not-running\)\n {2}start it with: warren up/);
    },
  );

  it('an error is an object on stdout with --json', async () => {
    const { out } = await warren('down', '--json', '--state-dir', freshState());
    expect(JSON.parse(out)).toEqual({ error: { code: 'not-running', message: expect.any(String) } });
  });

  it('set is kept for the next one', async () => {
    expect(await warren('set', 'hard-nat', 'off', '--state-dir', freshState())).toMatchObject({ code: 0 });
    const { out } = await warren('status', '--json', '--state-dir', state);
    expect(JSON.parse(out)).toMatchObject({ settings: { hardNat: false, portMapping: true } });
  });

  it('up asks for a password, and without a terminal says where it could come from', async () => {
    const { code, err } = await warren(
      'up',
      '--room',
      'r',
      '--server',
      'ws://127.0.0.1:1',
      '--state-dir',
      freshState(),
    );
    expect(code).toBe(2);
    expect(err).toContain('--password-file');
    expect(lockHolder(state)).toBeNull();
  });

  it('up refuses an invite that is damaged', async () => {
    const file = join(directory, 'invite');
    writeFileSync(file, 'warren://join#v=1&n=x');
    const { code, err } = await warren('up', '--invite-file', file, '--state-dir', freshState());
    expect(code).toBe(2);
    expect(err).toContain('damaged invite');
  });

  it('up exits 6 where another engine holds the lock', async () => {
    const lock = acquireLock(freshState(), '/nowhere');
    const { code, err } = await warren('up', '--room', 'r', '--server', 'ws://127.0.0.1:1', '--state-dir', state);
    lock.release();
    expect(code).toBe(6);
    expect(err).toContain(`pid ${process.pid}`);
  });

  it('up exits 4 when no server is there', async () => {
    const up = start(
      'up',
      '--room',
      'r',
      '--password-file',
      passwordFile,
      '--server',
      'ws://127.0.0.1:1',
      '--no-tun',
      '--state-dir',
      freshState(),
    );
    expect(await up.finished).toMatchObject({
      code: 4,
      err: expect.stringMatching(/^warren: no rendezvous server answered \(no-server\)\n {2}check the address/m),
    });
    expect(lockHolder(state)).toBeNull();
    expect(existsSync(join(state, 'control'))).toBe(false);
  });

  it('netcheck exits 4 when no server is there', async () => {
    const { code, err } = await warren('netcheck', '--server', 'ws://127.0.0.1:1');
    expect(err).toContain('(no-server)');
    expect(code).toBe(4);
  });
});

async function serve(): Promise<{ server: Warren; url: string }> {
  const server = start('serve', '--listen', '127.0.0.1:0', '--stun-port', '0', '--json');
  await vi.waitFor(() => expect(server.lines).toHaveLength(1), WAIT);
  const { listening } = JSON.parse(server.lines[0]!) as { listening: { port: number } };
  return { server, url: `ws://127.0.0.1:${listening.port}` };
}

describe('serve', () => {
  it('says where it listens and ends cleanly on SIGTERM', async () => {
    const { server } = await serve();
    expect(JSON.parse(server.lines[0]!)).toEqual({
      listening: {
        host: '127.0.0.1',
        port: expect.any(Number),
        tls: false,
        stun: { port: expect.any(Number), secondPort: expect.any(Number) },
        metrics: null,
      },
    });
    server.child.kill('SIGTERM');
    expect(await server.finished).toMatchObject({ code: 0 });
  });

  it('names a port that is taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    const { code, err } = await warren('serve', '--listen', `127.0.0.1:${port}`, '--stun-port', '0');
    other.close();
    expect(err).toContain('(port-taken)');
    expect(code).toBe(1);
  });
});

function last(command: Warren): Snapshot | null {
  const line = command.lines.at(-1);
  return line === undefined ? null : (JSON.parse(line) as Snapshot);
}

describe('an engine in a room', () => {
  let url: string;

  async function up(...extra: string[]): Promise<Warren> {
    ({ url } = await serve());
    return await joined(extra);
  }

  async function joined(extra: string[], password: string[] = ['--password-file', passwordFile]): Promise<Warren> {
    const words = ['--room', 'Friday', ...password, '--server', url, '--nick', 'ada', '--no-tun', '--state-dir', state];
    const engine = start('up', ...words, '--json', ...extra);
    await vi.waitFor(() => expect(last(engine)).toMatchObject({ state: 'joined' }), WAIT);
    return engine;
  }

  it('is seen by a watcher that came before it, through its whole life', async () => {
    const watcher = start('status', '--watch', '--json', '--state-dir', freshState());
    const engine = await up('--create');
    await vi.waitFor(() => expect(last(watcher)).toMatchObject({ state: 'joined', self: { nick: 'ada' } }), WAIT);
    for (const line of watcher.lines) snapshot.parse(JSON.parse(line));
    engine.child.kill('SIGINT');
    expect(await engine.finished).toMatchObject({ code: 0 });
    await vi.waitFor(() => expect(last(watcher)).toMatchObject({ state: 'off' }), WAIT);
    watcher.child.kill('SIGTERM');
    expect(await watcher.finished).toMatchObject({ code: 0 });
  });

  it('obeys set, gives an invite, refuses a second up, and ends by down', async () => {
    freshState();
    const engine = await up('--create');
    expect(await warren('set', 'port-mapping', 'off', '--state-dir', state)).toMatchObject({
      code: 0,
      out: expect.stringContaining('now'),
    });
    await vi.waitFor(() => expect(last(engine)).toMatchObject({ settings: { portMapping: false } }), WAIT);
    expect(JSON.parse(readFileSync(join(state, 'settings.json'), 'utf8'))).toMatchObject({ portMapping: false });

    const { out } = await warren('invite', '--state-dir', state);
    expect(decodeInvite(out)).toEqual({
      ok: true,
      invite: { name: 'Friday', password: 'correct horse', servers: [url] },
    });

    const second = await warren('up', '--room', 'x', '--server', url, '--state-dir', state);
    expect(second.code).toBe(6);
    const nobody = await warren('ping', 'nobody', '--state-dir', state);
    expect(nobody).toMatchObject({ code: 1, err: expect.stringContaining('(no-such-member)') });

    expect(await warren('down', '--state-dir', state)).toMatchObject({ code: 0 });
    expect(await engine.finished).toMatchObject({ code: 0 });
    expect(lockHolder(state)).toBeNull();
    expect(existsSync(join(state, 'control'))).toBe(false);
  });

  it('comes back after kill -9, by its saved room, with the same key', async () => {
    freshState();
    const first = await up('--create');
    const key = last(first)?.self?.publicKey;
    await vi.waitFor(() => expect(isSavedRoom(state, 'Friday')).toBe(true), WAIT);
    first.child.kill('SIGKILL');
    await first.finished;
    expect(await warren('status', '--state-dir', state)).toMatchObject({
      code: 0,
      out: expect.stringContaining('off'),
    });
    const again = await joined([], []);
    expect(last(again)?.self?.publicKey).toBe(key);
  });

  it('joins by an invite alone', async () => {
    freshState();
    ({ url } = await serve());
    const file = join(directory, 'good-invite');
    writeFileSync(file, `${encodeInvite({ name: 'Friday', password: 'correct horse', servers: [url] })}\n`);
    const engine = start('up', '--invite-file', file, '--no-tun', '--state-dir', state, '--json');
    await vi.waitFor(() => expect(last(engine)).toMatchObject({ state: 'joined', room: { name: 'Friday' } }), WAIT);
  });
});
