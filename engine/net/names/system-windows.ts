/**
 * The Name Resolution Policy Table of Windows: which server is asked for which domain. Its rules outlive process and reboot, so
 *
 * 1. each carries the name of its interface in its comment;
 * 2. before one is added, and at the end, those of this interface go, and those whose interface is no more (kill -9).
 *
 * In between such a rule only leads `.warren` to an address that nobody has.
 */
import { DOMAIN } from '../../names/labels.ts';
import { literal, powershell, type RunCommand } from '../platform/command.ts';
import { reverseZones } from './reverse.ts';
import type { SystemNames } from './system.ts';

const COMMENT = 'Warren names on ';
const EFFECTIVE = 'effective';
/** The table has no ports. */
const DNS_PORT = 53;

/** False where the rule has no effect: group policy replaces the whole table. Rejects where Windows refuses. */
export async function tellWindows(names: SystemNames, run: RunCommand): Promise<boolean> {
  if (names.port !== DNS_PORT) return false;
  return (await powershell(tellScript(names), run)).trim() === EFFECTIVE;
}

export async function forgetWindows(interfaceName: string, run: RunCommand): Promise<void> {
  await powershell(`${forgetScript(interfaceName)}\nClear-DnsClientCache`, run);
}

/** A leading dot means the domain and all below it. */
export function tellScript({ interfaceName, ipv4, prefixLength }: SystemNames): string {
  const domain = literal(`.${DOMAIN}`);
  const domains = [domain, ...reverseZones(ipv4, prefixLength).map((zone) => literal(`.${zone}`))];
  const comment = literal(COMMENT + interfaceName);
  return [
    forgetScript(interfaceName),
    `Add-DnsClientNrptRule -Namespace ${domains.join(',')} -NameServers ${literal(ipv4)} -Comment ${comment}`,
    'Clear-DnsClientCache',
    `if (Get-DnsClientNrptPolicy -Effective | Where-Object { $_.Namespace -contains ${domain} }) { ${literal(EFFECTIVE)} }`,
  ].join('\n');
}

/** A rule of another Warren whose interface is there stays. */
export function forgetScript(interfaceName: string): string {
  const name = `$_.Comment.Substring(${COMMENT.length})`;
  const ours = `${name} -eq ${literal(interfaceName)}`;
  const orphaned = `-not (Get-NetAdapter -IncludeHidden -Name ${name} -ErrorAction SilentlyContinue)`;
  return [
    'Get-DnsClientNrptRule',
    `Where-Object { $_.Comment -like ${literal(`${COMMENT}*`)} -and (${ours} -or ${orphaned}) }`,
    'ForEach-Object { Remove-DnsClientNrptRule -Name $_.Name -Force }',
  ].join(' | ');
}
