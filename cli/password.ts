/** Where a password comes from: a file, the environment, or a prompt without echo. Never an argument. */
import { readFileSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { stripTrailingNewline } from '../engine/core/crypto/names.ts';
import { WarrenError } from '../protocol/errors.ts';
import { decodeInvite, type Invite } from '../protocol/invite.ts';
import type { Io } from './io.ts';

export interface PasswordOptions {
  passwordFile?: string;
  passwordEnv?: string;
}

/** Null when neither option was given. Throws WarrenError('usage'). */
export function givenPassword(options: PasswordOptions, env: Io['env']): string | null {
  if (options.passwordFile !== undefined)
    return notEmpty(stripTrailingNewline(readText(options.passwordFile)), 'the file');
  if (options.passwordEnv === undefined) return null;
  const value = env[options.passwordEnv];
  if (value === undefined) throw new WarrenError('usage', `the environment variable ${options.passwordEnv} is not set`);
  return notEmpty(value, 'the variable');
}

/** The invite link in a file. Throws WarrenError('usage'). */
export function inviteFromFile(path: string): Invite {
  const result = decodeInvite(readText(path).trim());
  if (result.ok) return result.invite;
  const problem = {
    'not-ours': 'holds no warren:// invite',
    'too-long': 'holds an invite that is too long',
    version: 'holds an invite from a newer Warren',
    malformed: 'holds a damaged invite: copy the whole link',
  }[result.problem];
  throw new WarrenError('usage', `${path} ${problem}`);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new WarrenError('usage', `cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function notEmpty(password: string, source: string): string {
  if (password === '') throw new WarrenError('usage', `the password in ${source} is empty`);
  return password;
}

/** Asks on the terminal, twice for a new room. Throws WarrenError('usage') without a terminal, or when given up. */
export async function promptPassword(io: Io, twice: boolean): Promise<string> {
  if (!io.stdin.isTTY) {
    throw new WarrenError('usage', 'no password: give --password-file or --password-env, or run it on a terminal');
  }
  const password = notEmpty(await readHidden(io, 'Password: '), 'the prompt');
  if (twice && (await readHidden(io, 'The same again: ')) !== password) {
    throw new WarrenError('usage', 'the two passwords differ');
  }
  return password;
}

const ENTER = new Set(['\r', '\n', '\u0004']);
const ERASE = new Set(['\u007f', '\b']);

/** One line in raw mode, which echoes nothing. */
function readHidden(io: Io, question: string): Promise<string> {
  const { stdin } = io;
  io.ask(question);
  const decoder = new StringDecoder('utf8');
  let typed: string[] = [];
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      stdin.off('data', read);
      stdin.setRawMode(false);
      stdin.pause();
      io.err('');
      settle();
    };
    const read = (chunk: Buffer) => {
      for (const key of decoder.write(chunk)) {
        if (ENTER.has(key)) {
          end(() => resolve(typed.join('')));
          return;
        }
        if (key === '\u0003') {
          end(() => reject(new WarrenError('usage', 'given up at the password')));
          return;
        }
        if (ERASE.has(key)) typed.pop();
        else if (key === '\u0015') typed = [];
        else if (!/\p{Cc}/u.test(key)) typed.push(key);
      }
    };
    stdin.setRawMode(true);
    stdin.resume();
    stdin.on('data', read);
  });
}
