/**
 * Invite links: `warren://join#v=1&n=NAME&p=PASSWORD&s=SERVER[&s=SERVER...]`, each value the base64url of its UTF-8.
 * The fragment never leaves for a server. A link comes from strangers: everything that is not exactly an invite is
 * refused with a closed reason, and nothing is guessed.
 */
import { WarrenError } from './errors.ts';
import { ROOM_LIMITS } from './limits.ts';

export const INVITE_BYTES = 1_024;
const PREFIX = 'warren://join#';
const VERSION = '1';

export interface Invite {
  /** Network name as typed. */
  name: string;
  password: string;
  /** 1 to 4 rendezvous URLs, `wss://`, `ws://`, or the same as `https://`, `http://`. */
  servers: string[];
}

/** `not-ours`: no invite link at all. `version`: one from a later Warren. */
export type InviteProblem = 'not-ours' | 'too-long' | 'version' | 'malformed';
export type InviteResult = { ok: true; invite: Invite } | { ok: false; problem: InviteProblem };

/** Throws WarrenError('invalid') for what no link can hold. */
export function encodeInvite(invite: Invite): string {
  const broken = whatIsWrong(invite);
  if (broken !== null) throw new WarrenError('invalid', `no invite: ${broken}`);
  const servers = invite.servers.map((server) => `&s=${encodeValue(server)}`).join('');
  const link = `${PREFIX}v=${VERSION}&n=${encodeValue(invite.name)}&p=${encodeValue(invite.password)}${servers}`;
  if (link.length > INVITE_BYTES) throw new WarrenError('invalid', `no invite: the link is over ${INVITE_BYTES} bytes`);
  return link;
}

export function decodeInvite(link: string): InviteResult {
  if (!link.startsWith(PREFIX)) return { ok: false, problem: 'not-ours' };
  if (link.length > INVITE_BYTES) return { ok: false, problem: 'too-long' };
  const fields = { v: [] as string[], n: [] as string[], p: [] as string[], s: [] as string[] };
  for (const pair of link.slice(PREFIX.length).split('&')) {
    const key = pair.slice(0, 1);
    if (pair[1] !== '=' || !Object.hasOwn(fields, key)) return { ok: false, problem: 'malformed' };
    fields[key as keyof typeof fields].push(pair.slice(2));
  }
  if (fields.v.length !== 1 || !/^[0-9]{1,4}$/.test(fields.v[0] ?? '')) return { ok: false, problem: 'malformed' };
  if (fields.v[0] !== VERSION) return { ok: false, problem: 'version' };
  if (fields.n.length !== 1 || fields.p.length !== 1) return { ok: false, problem: 'malformed' };
  const [name, password, ...servers] = [...fields.n, ...fields.p, ...fields.s].map(decodeValue);
  if (typeof name !== 'string' || typeof password !== 'string') return { ok: false, problem: 'malformed' };
  const invite = { name, password, servers: servers.filter((server) => server !== null && server !== undefined) };
  const complete = invite.servers.length === fields.s.length && whatIsWrong(invite) === null;
  return complete ? { ok: true, invite } : { ok: false, problem: 'malformed' };
}

/** A rendezvous URL as links and options may carry it. */
export function isServerUrl(text: string): boolean {
  return /^(?:wss?|https?):\/\/(?:[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?(?:\/[\w./~-]{0,200})?$/i.test(
    text,
  );
}

function whatIsWrong({ name, password, servers }: Invite): string | null {
  if (hasControls(name) || utf8Length(name) < 1 || utf8Length(name) > ROOM_LIMITS.nameBytes) return 'the room name';
  if (hasControls(password) || utf8Length(password) < 1 || utf8Length(password) > ROOM_LIMITS.passwordBytes) {
    return 'the password';
  }
  if (servers.length < 1 || servers.length > ROOM_LIMITS.servers) return `1 to ${ROOM_LIMITS.servers} servers`;
  return servers.every(isServerUrl) ? null : 'a server URL';
}

/** Control characters have no business in a name or a password; a terminal would obey them. */
function hasControls(text: string): boolean {
  return /\p{Cc}/u.test(text);
}

/** -1 for text with lone surrogates, which has no UTF-8. */
function utf8Length(text: string): number {
  return utf8Bytes(text)?.length ?? -1;
}

/** `protocol` knows neither Node nor the DOM, so UTF-8 comes from the language itself: percent encoding. */
function utf8Bytes(text: string): number[] | null {
  try {
    const bytes: number[] = [];
    const encoded = encodeURIComponent(text);
    for (let i = 0; i < encoded.length; i++) {
      if (encoded[i] !== '%') bytes.push(encoded.charCodeAt(i));
      else {
        bytes.push(Number.parseInt(encoded.slice(i + 1, i + 3), 16));
        i += 2;
      }
    }
    return bytes;
  } catch {
    return null;
  }
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Base64url without padding (RFC 4648, section 5). */
function encodeValue(text: string): string {
  let out = '';
  let bits = 0;
  let held = 0;
  for (const byte of utf8Bytes(text) ?? []) {
    bits = (bits << 8) | byte;
    for (held += 8; held >= 6; held -= 6) out += ALPHABET[(bits >> (held - 6)) & 63];
    bits &= (1 << held) - 1;
  }
  return held > 0 ? out + ALPHABET[(bits << (6 - held)) & 63] : out;
}

/** Null for anything but the one canonical encoding of some UTF-8 text. */
function decodeValue(value: string): string | null {
  let percent = '';
  let bits = 0;
  let held = 0;
  for (const character of value) {
    const digit = ALPHABET.indexOf(character);
    if (digit < 0) return null;
    bits = (bits << 6) | digit;
    held += 6;
    if (held >= 8) {
      held -= 8;
      percent += `%${((bits >> held) & 255).toString(16).padStart(2, '0')}`;
      bits &= (1 << held) - 1;
    }
  }
  if (held >= 6 || bits !== 0) return null;
  try {
    return decodeURIComponent(percent);
  } catch {
    return null;
  }
}
