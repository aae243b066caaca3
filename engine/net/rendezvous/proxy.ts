/** Which proxy the environment names for a URL: the convention of curl and most other tools. */
import { BlockList, isIP } from 'node:net';

export type Environment = Record<string, string | undefined>;

const DEFAULT_PORTS: Record<string, string> = { 'ws:': '80', 'wss:': '443' };

/**
 * HTTPS_PROXY for wss, HTTP_PROXY for ws, in either case of letters, unless NO_PROXY names the host: a name with its
 * sub-domains, an address, a CIDR network, each with an optional port, or `*`. Null: connect directly.
 */
export function proxyFor(url: URL, env: Environment): URL | null {
  const name = url.protocol === 'wss:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const value = variable(env, name);
  if (value === '' || isExcluded(url, variable(env, 'NO_PROXY'))) return null;
  const text = value.includes('://') ? value : `http://${value}`;
  if (!URL.canParse(text)) return null;
  const proxy = new URL(text);
  return proxy.protocol === 'http:' || proxy.protocol === 'https:' ? proxy : null;
}

function variable(env: Environment, name: string): string {
  return (env[name.toLowerCase()] ?? env[name] ?? '').trim();
}

function isExcluded(url: URL, list: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = url.port || DEFAULT_PORTS[url.protocol];
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => entry !== '' && matches(entry, host, port));
}

function matches(entry: string, host: string, port: string | undefined): boolean {
  if (entry === '*') return true;
  const [, bracketed, plain, entryPort] = /^(?:\[([^\]]+)\]|([^:]*|.*:.*:.*?))(?::(\d+))?$/.exec(entry) ?? [];
  if (entryPort !== undefined && entryPort !== port) return false;
  const name = (bracketed ?? plain ?? '').replace(/^\*?\./, '');
  if (name === '') return false;
  if (isIP(host) !== 0) return name === host || inNetwork(name, host);
  return host === name || host.endsWith(`.${name}`);
}

function inNetwork(network: string, host: string): boolean {
  const [ip = '', bits = ''] = network.split('/', 2);
  const family = isIP(ip);
  if (family === 0 || family !== isIP(host) || !/^\d{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128)) {
    return false;
  }
  const list = new BlockList();
  const type = family === 4 ? 'ipv4' : 'ipv6';
  list.addSubnet(ip, Number(bits), type);
  return list.check(host, type);
}
