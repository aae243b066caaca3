import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { report } from '../../../cli/failure.ts';
import type { Io } from '../../../cli/io.ts';
import { givenPassword, inviteFromFile } from '../../../cli/password.ts';
import { EXIT_CODES, WarrenError } from '../../../protocol/errors.ts';
import { encodeInvite } from '../../../protocol/invite.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'warren-password-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function file(content: string): string {
  const path = join(directory, 'file');
  writeFileSync(path, content);
  return path;
}

const usage = (words: RegExp) => expect.objectContaining({ code: 'usage', message: expect.stringMatching(words) });

describe('a password that is given', () => {
  it.each([
    ['secret\n', 'secret'],
    ['secret\r\n', 'secret'],
    ['secret\n\n', 'secret\n'],
    [' two words ', ' two words '],
  ])('in a file as %j is %j: one newline at the end is nobody’s', (content, password) => {
    expect(givenPassword({ passwordFile: file(content) }, {})).toBe(password);
  });

  it('comes from the variable as it is', () => {
    expect(givenPassword({ passwordEnv: 'PW' }, { PW: 'secret\n' })).toBe('secret\n');
  });

  it('is none without an option, and never empty', () => {
    expect(givenPassword({}, { PW: 'secret' })).toBeNull();
    expect(() => givenPassword({ passwordFile: file('\n') }, {})).toThrowError(usage(/empty/));
    expect(() => givenPassword({ passwordEnv: 'PW' }, { PW: '' })).toThrowError(usage(/empty/));
  });
});

describe('an invite in a file', () => {
  const invite = { name: 'lan', password: 'p', servers: ['ws://h'] };

  it('may have white space around it', () => {
    expect(inviteFromFile(file(`  ${encodeInvite(invite)}\n`))).toEqual(invite);
  });

  it.each([
    ['hello', /no warren:\/\/ invite/],
    ['warren://join#v=1', /damaged/],
    [encodeInvite(invite).replace('v=1', 'v=9'), /newer Warren/],
    [`warren://join#${'x'.repeat(2_000)}`, /too long/],
  ])('that is %j is refused with the reason', (content, why) => {
    expect(() => inviteFromFile(file(content))).toThrowError(usage(why));
  });
});

function told(error: unknown, json = false): { code: number; out: string[]; err: string[] } {
  const out: string[] = [];
  const err: string[] = [];
  const io = { out: (line: string) => void out.push(line), err: (line: string) => void err.push(line) } as Io;
  return { code: report(error, io, json), out, err };
}

describe('a failure', () => {
  it.each(Object.entries(EXIT_CODES))('with code %s exits %i, with one line and a next step', (code, exit) => {
    const { code: answered, err, out } = told(new WarrenError(code as keyof typeof EXIT_CODES, 'what happened'));
    expect(answered).toBe(exit);
    expect(err[0]).toBe(`warren: what happened (${code})`);
    expect(err[1]).toMatch(/^ {2}\S/);
    expect(err).toHaveLength(2);
    expect(out).toEqual([]);
  });

  it('that is ours to fix exits 1 and brings its stack', () => {
    const { code, err } = told(new TypeError('x is undefined'));
    expect(code).toBe(1);
    expect(err[0]).toBe('warren: x is undefined (internal)');
    expect(err.join('\n')).toContain('password.test.ts');
  });

  it("never lets somebody else's text drive the terminal", () => {
    const { err } = told(new WarrenError('no-such-member', 'no member is called \u001b[2J'));
    expect(err.join('')).not.toContain('\u001b');
  });
});
