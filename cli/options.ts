/** Parsers of option values: what they take is checked before anything starts. */
import { InvalidArgumentError } from 'commander';
import { WarrenError } from '../protocol/errors.ts';
import { type FilterPreset, filterPreset } from '../protocol/filter.ts';
import { isServerUrl } from '../protocol/invite.ts';
import { ROOM_LIMITS } from '../protocol/limits.ts';

export function port(text: string): number {
  return wholeNumber(text, 0, 65_535);
}

export function count(text: string): number {
  return wholeNumber(text, 1, 1_000_000);
}

function wholeNumber(text: string, low: number, high: number): number {
  const value = Number(text);
  if (!/^[0-9]{1,9}$/.test(text) || value < low || value > high) {
    throw new InvalidArgumentError(`a whole number from ${low} to ${high} is needed.`);
  }
  return value;
}

/** The value of a switch. Throws WarrenError('usage'). */
export function onOrOff(setting: string, value: string): boolean {
  if (value === 'on' || value === 'off') return value === 'on';
  throw new WarrenError('usage', `${setting} can be on, off`);
}

/** Throws WarrenError('usage'). */
export function filterValue(value: string): FilterPreset {
  const preset = filterPreset.safeParse(value);
  if (preset.success) return preset.data;
  throw new WarrenError('usage', `filter can be ${filterPreset.options.join(', ')}`);
}

/** Collects a repeated `--server`. */
export function servers(text: string, earlier: string[] | undefined): string[] {
  if (!isServerUrl(text))
    throw new InvalidArgumentError('a URL such as wss://warren.example or ws://192.0.2.1:8080 is needed.');
  const all = [...(earlier ?? []), text];
  if (all.length > ROOM_LIMITS.servers) throw new InvalidArgumentError(`at most ${ROOM_LIMITS.servers} servers.`);
  return all;
}

/** Collects a repeated `--stun`. */
export function stunServers(text: string, earlier: string[] | undefined): string[] {
  hostPort(text);
  return [...(earlier ?? []), text];
}

/** `HOST:PORT`, with brackets around an IPv6 address. */
export function hostPort(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):([0-9]{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined) throw new InvalidArgumentError('HOST:PORT is needed.');
  return { host, port: port(match?.[3] ?? '') };
}

/** `HOST:PORT`, or `:PORT` for every address. */
export function listenAddress(text: string): { host?: string; port: number } {
  return text.startsWith(':') ? { port: port(text.slice(1)) } : hostPort(text);
}

/** Collects a repeated `--trust-proxy`. */
export function networks(text: string, earlier: string[] | undefined): string[] {
  if (!/^[0-9a-fA-F:.]+\/[0-9]{1,3}$/.test(text))
    throw new InvalidArgumentError('a network such as 192.0.2.0/24 is needed.');
  return [...(earlier ?? []), text];
}

/** The kernel takes 15 bytes, and neither slashes nor white space (dev_valid_name). */
export function interfaceName(text: string): string {
  if (!/^[A-Za-z0-9_.-]{1,15}$/.test(text) || text === '.' || text === '..') {
    throw new InvalidArgumentError('an interface name of 1 to 15 letters, digits, dots, dashes is needed.');
  }
  return text;
}

export function ipv4Address(text: string): string {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255)) {
    throw new InvalidArgumentError('an IPv4 address is needed.');
  }
  return text;
}
