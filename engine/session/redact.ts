/** Takes out of text and values what only the user may know, and leaves what helps to understand a connection. */
import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import ipaddr from 'ipaddr.js';

export interface Known {
  /** Taken out wherever they appear. */
  passwords: readonly string[];
  /** Room names, nicknames, host names: each becomes the same short hash everywhere, so that lines can still be matched. */
  names: readonly string[];
}

/** A shorter one would be found within other words: it is only taken out where it stands alone. */
const ANYWHERE_CHARACTERS = 4;

/** A short hash that is the same for the same text within one bundle; `salt` keeps bundles from being compared. */
export function alias(salt: string, kind: string, text: string): string {
  return `${kind}-${createHash('sha256').update(salt).update('\0').update(text).digest('hex').slice(0, 8)}`;
}

/** `203.0.113.9` as `203.0.x.x (global)`: the network and the kind of address, not the host. */
export function maskIp(ip: string): string {
  const address = ipaddr.parse(ip);
  const range = address.range();
  if (range === 'loopback' || address.toByteArray().every((byte) => byte === 0)) return ip;
  const kind = range === 'unicast' ? 'global' : range;
  if (address instanceof ipaddr.IPv4) return `${address.octets.slice(0, 2).join('.')}.x.x (${kind})`;
  if (address.isIPv4MappedAddress()) return maskIp(address.toIPv4Address().toString());
  const parts = address.parts.slice(0, 2).map((part) => part.toString(16));
  return `${parts.join(':')}:x (${kind})`;
}

/** The first characters of a public key: enough to tell members apart. */
export function shortKey(key: string): string {
  return `${key.slice(0, 6)}…`;
}

const INVITE = /warren:\/\/\S*/gi;
const IPV4 = /(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)/g;
const IPV6 = /(?<![\w:.])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,8}(?:\d{0,3}(?:\.\d{1,3}){3})?(?![\w:])/gi;
/** 32 bytes in base64, as keys are written, and 32 or more in hex. */
const KEY = /(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{43}=?(?![A-Za-z0-9+/=_-])/g;
const HEX = /(?<![0-9a-f])[0-9a-f]{64,}(?![0-9a-f])/gi;

export function redactor(salt: string, known: Known): (text: string) => string {
  const home = homedir();
  const wanted = [
    ...known.passwords.map((text) => ({ text, by: '[password]' })),
    ...known.names.map((text) => ({ text, by: alias(salt, 'name', text) })),
    ...(home.length > 1 ? [{ text: home, by: '~' }] : []),
  ];
  const replacements = new Map(
    wanted.flatMap(({ text, by }) => spellings(text).map((spelling) => [spelling.toLowerCase(), by] as const)),
  );
  // As written as well as in lower case: a letter whose lower case is two characters is not what a pattern of its lower case finds.
  const written = new Set([...wanted.flatMap(({ text }) => spellings(text)), ...replacements.keys()]);
  // One pass, so that nothing is found in what was put in; the longest first, for a name may be part of another.
  const literals = [...written].sort((a, b) => b.length - a.length).map(pattern);
  const anyOfThem = new RegExp(literals.join('|') || '(?!)', 'giu');
  return (text) => {
    const clean = text
      .replace(INVITE, '[invite]')
      // Some letters have more than one lower case: whatever was found goes.
      .replace(anyOfThem, (found) => replacements.get(found.toLowerCase()) ?? '[secret]');
    return maskIps(clean.replace(HEX, '[hex]').replace(KEY, shortKey));
  };
}

/** Masks every address in a text, or in all texts within a value. */
export function maskIps<T>(value: T): T {
  if (typeof value === 'string') return value.replace(IPV6, maskIfIp).replace(IPV4, maskIfIp) as T;
  if (Array.isArray(value)) return value.map((entry: unknown) => maskIps(entry)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, maskIps(entry as unknown)])) as T;
}

/** As it is, within JSON, and within a URL. */
function spellings(text: string): string[] {
  const json = JSON.stringify(text).slice(1, -1);
  return [...new Set([text, text.normalize('NFKC').trim().toLowerCase(), json, encoded(text)])].filter(
    (spelling) => spelling !== '',
  );
}

function encoded(text: string): string {
  return encodeURIComponent(text.replace(/\p{Cs}/gu, '\ufffd'));
}

function pattern(text: string): string {
  const literal = text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  return text.length < ANYWHERE_CHARACTERS ? `(?<![\\p{L}\\p{N}])${literal}(?![\\p{L}\\p{N}])` : literal;
}

function maskIfIp(text: string): string {
  return ipaddr.isValid(text) ? maskIp(text) : text;
}
