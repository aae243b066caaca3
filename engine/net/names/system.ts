/**
 * Tells the system that names of the room are resolved here, where it has a way to ask one server for one domain.
 * Linux: systemd-resolved, by its own command; the setting belongs to the interface and goes with it, kill -9 included.
 * Elsewhere, and without the right, names are found by LLMNR and mDNS.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { DOMAIN } from '../../names/labels.ts';

const COMMAND_MS = 5_000;
const RESOLVED = '/run/systemd/resolve';

export interface SystemNames {
  interfaceName: string;
  ipv4: string;
  prefixLength: number;
  /** Of the DNS server at `ipv4`. */
  port: number;
}

/** Whether systemd-resolved runs here. */
export const hasResolved = (): boolean => process.platform === 'linux' && existsSync(RESOLVED);

/** True: programs on this machine resolve `nick.warren` from now on. Never rejects. */
export async function tellSystem(names: SystemNames, log: (line: string) => void): Promise<boolean> {
  if (!hasResolved()) return false;
  const { interfaceName, ipv4, port } = names;
  const server = port === 53 ? ipv4 : `${ipv4}:${port}`;
  try {
    await resolvectl('dns', interfaceName, server);
    await resolvectl('domain', interfaceName, `~${DOMAIN}`, ...reverseDomains(names));
    await resolvectl('default-route', interfaceName, 'no');
    return true;
  } catch (error) {
    log(`systemd-resolved does not take our names: ${(error as Error).message.trim()}`);
    return false;
  }
}

async function resolvectl(...words: string[]): Promise<void> {
  await promisify(execFile)('resolvectl', ['--no-ask-password', ...words], { timeout: COMMAND_MS });
}

/** The zones of the room's prefix: reverse zones end at whole bytes. */
export function reverseDomains({ ipv4, prefixLength }: Pick<SystemNames, 'ipv4' | 'prefixLength'>): string[] {
  const [a = 0, b = 0, c = 0] = ipv4.split('.').map(Number);
  const count = prefixLength >= 24 ? 1 : 2 ** (24 - Math.max(prefixLength, 16));
  const first = c - (c % count);
  return Array.from({ length: count }, (_, i) => `~${first + i}.${b}.${a}.in-addr.arpa`);
}
