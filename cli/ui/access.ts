/**
 * Who may use the browser UI: a one-time code, printed in the terminal as the fragment of the address, becomes a token
 * that the tab keeps. Both are 32 random bytes; both end with the process.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const SECRET_BYTES = 32;
/** Long enough to carry an address from a terminal to a browser, short enough that yesterday's scrollback opens nothing. */
const CODE_LIFE_MS = 10 * 60_000;
/** Addresses that were printed and not used; the oldest goes first. */
const CODES = 4;
/** Tabs that were let in; above this the oldest must open a new address after its next reload. */
const TOKENS = 64;

export interface Credentials {
  code?: string | undefined;
  token?: string | undefined;
}

interface Secret {
  digest: Buffer;
  until: number;
}

export class Access {
  readonly #now: () => number;
  #codes: Secret[] = [];
  #tokens: Secret[] = [];

  /** `now` in ms, of a clock that only moves forward. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  newCode(): string {
    const code = secret();
    this.#codes = [...this.#codes, { digest: digest(code), until: this.#now() + CODE_LIFE_MS }].slice(-CODES);
    return code;
  }

  /** The token for the next hello, or null. A code is used up by this, whether or not the connection lives. */
  admit({ code, token }: Credentials): string | null {
    if (code !== undefined && this.#use(code)) return this.#newToken();
    if (token !== undefined && find(this.#tokens, token) !== undefined) return token;
    return null;
  }

  #use(code: string): boolean {
    const found = find(this.#codes, code);
    if (found === undefined) return false;
    this.#codes = this.#codes.filter((other) => other !== found);
    return this.#now() < found.until;
  }

  #newToken(): string {
    const token = secret();
    this.#tokens = [...this.#tokens, { digest: digest(token), until: Number.POSITIVE_INFINITY }].slice(-TOKENS);
    return token;
  }
}

const secret = () => randomBytes(SECRET_BYTES).toString('base64url');
const digest = (text: string) => createHash('sha256').update(text).digest();

/** Compares digests, all of them, each in constant time: how long it takes says nothing about any secret. */
function find(secrets: readonly Secret[], text: string): Secret | undefined {
  const given = digest(text);
  return secrets.filter((known) => timingSafeEqual(known.digest, given))[0];
}
