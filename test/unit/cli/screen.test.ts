import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { Io } from '../../../cli/io.ts';
import { promptPassword } from '../../../cli/password.ts';
import { openScreen } from '../../../cli/view/screen.ts';
import { peer, snapshot } from './snapshots.ts';

/** Streams that the test reads when it likes. */
function ioOn(stdout: PassThrough, stdin: unknown = null): Io {
  return {
    out: (line) => void stdout.write(`${line}\n`),
    err: () => {},
    ask: () => {},
    env: {},
    stdin: stdin as NodeJS.ReadStream,
    stdout: stdout as unknown as NodeJS.WriteStream,
    colour: false,
    interrupted: () => new AbortController().signal,
  };
}

const linesOf = (stdout: PassThrough) =>
  String(stdout.read() ?? '')
    .trim()
    .split('\n');

describe('JSON on stdout', () => {
  it('is one snapshot a line', async () => {
    const stdout = new PassThrough();
    const screen = await openScreen(ioOn(stdout), true);
    screen.show(snapshot({ state: 'joining' }));
    screen.show(snapshot());
    expect(linesOf(stdout).map((line) => JSON.parse(line).state)).toEqual(['joining', 'joined']);
  });

  it('skips what a slow reader missed, and gives it the newest when it reads again', async () => {
    const stdout = new PassThrough({ highWaterMark: 4_096 });
    const screen = await openScreen(ioOn(stdout), true);
    const peers = Array.from({ length: 10 }, (_, i) => peer({ publicKey: String(i) }));
    const rounds = 1_000;
    for (let round = 1; round <= rounds; round++)
      screen.show(snapshot({ peers, room: { name: String(round), server: '' } }));
    const names: string[] = [];
    stdout.on('data', (chunk) => {
      for (const line of String(chunk).trim().split('\n')) names.push(JSON.parse(line).room.name);
    });
    await expect.poll(() => names.at(-1)).toBe(String(rounds));
    expect(names.length).toBeLessThan(20);
    screen.end();
  });
});

describe('plain lines on stdout', () => {
  it('are printed at changes only', async () => {
    const stdout = new PassThrough();
    const screen = await openScreen(ioOn(stdout), false);
    screen.show(snapshot({ peers: [peer()] }));
    expect(linesOf(stdout)).toContain('bob (10.64.0.2): direct, 18 ms');
    screen.show(snapshot({ peers: [peer({ rxBytes: 99 })] }));
    expect(stdout.read()).toBeNull();
  });
});

/** A terminal on which somebody types. */
function terminal(typed: string): { io: Io; raw: boolean[] } {
  const raw: boolean[] = [];
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (on: boolean) => void raw.push(on) });
  stdin.write(typed);
  return { io: ioOn(new PassThrough(), stdin), raw };
}

describe('the password prompt', () => {
  it('reads a line with the terminal raw, so that it echoes nothing, and gives it back', async () => {
    const { io, raw } = terminal('secret 秘密\r');
    await expect(promptPassword(io, false)).resolves.toBe('secret 秘密');
    expect(raw).toEqual([true, false]);
  });

  it('knows backspace and the kill key, also over characters of several bytes', async () => {
    const { io } = terminal('wrong\u0015pas秘\u007f\u007fss\r');
    await expect(promptPassword(io, false)).resolves.toBe('pass');
  });

  it('gives the terminal back when it is given up', async () => {
    const { io, raw } = terminal('sec\u0003');
    await expect(promptPassword(io, false)).rejects.toMatchObject({ code: 'usage' });
    expect(raw).toEqual([true, false]);
  });

  it('does not take an empty password', async () => {
    await expect(promptPassword(terminal('\r').io, false)).rejects.toMatchObject({ code: 'usage' });
  });

  it('asks twice for a new room, and compares', async () => {
    const { io } = terminal('one\r');
    const asked = promptPassword(io, true);
    (io.stdin as unknown as PassThrough).write('two\r');
    await expect(asked).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('differ') });
  });
});
