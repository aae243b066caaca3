/** systemd-resolved, by its own command; the setting belongs to the interface and goes with it, kill -9 included. */
import { existsSync } from 'node:fs';
import { DOMAIN } from '../../names/labels.ts';
import type { RunCommand } from '../platform/command.ts';
import { reverseZones } from './reverse.ts';
import type { SystemNames } from './system.ts';

const RESOLVED = '/run/systemd/resolve';

export const hasResolved = (): boolean => existsSync(RESOLVED);

/** Rejects where it refuses. */
export async function tellResolved(names: SystemNames, run: RunCommand): Promise<true> {
  for (const words of resolvedCommands(names)) await run('resolvectl', ['--no-ask-password', ...words]);
  return true;
}

/** `~` routes a domain there without making it a search domain. */
export function resolvedCommands({ interfaceName, ipv4, prefixLength, port }: SystemNames): string[][] {
  const server = port === 53 ? ipv4 : `${ipv4}:${port}`;
  const domains = [DOMAIN, ...reverseZones(ipv4, prefixLength)].map((domain) => `~${domain}`);
  return [
    ['dns', interfaceName, server],
    ['domain', interfaceName, ...domains],
    ['default-route', interfaceName, 'no'],
  ];
}
