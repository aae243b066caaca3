/** What rules say, without packets: for the tests of a policy file and for showing what is open. */
import type { FilterRule, FilterRules } from '../ports.ts';

const LAST_PORT = 65_535;

function matches(rule: FilterRule, protocol: 'tcp' | 'udp' | 'icmp', port: number): boolean {
  if (rule.protocol !== undefined && rule.protocol !== protocol) return false;
  if (rule.ports === undefined || rule.ports.length === 0) return true;
  return protocol !== 'icmp' && rule.ports.some(([low, high]) => low <= port && port <= high);
}

/** The verdict about something that begins, as the device gives it; `rule` is the index of the one that decided. */
export function evaluate(
  { rules, otherwise }: FilterRules,
  protocol: 'tcp' | 'udp' | 'icmp',
  port = 0,
): { accept: boolean; rule: number | null } {
  const rule = rules.findIndex((one) => matches(one, protocol, port));
  const found = rules[rule];
  return found ? { accept: found.action === 'accept', rule } : { accept: otherwise === 'accept', rule: null };
}

/** The ports that are open, as few ranges as there can be. */
export function openPorts(rules: FilterRules, protocol: 'tcp' | 'udp'): [low: number, high: number][] {
  const edges = rules.rules.flatMap(({ ports = [] }) => ports.flatMap(([low, high]) => [low, high + 1]));
  const starts = [...new Set([0, ...edges])].filter((port) => port <= LAST_PORT).toSorted((a, b) => a - b);
  const open: [number, number][] = [];
  for (const [index, low] of starts.entries()) {
    if (!evaluate(rules, protocol, low).accept) continue;
    const high = (starts[index + 1] ?? LAST_PORT + 1) - 1;
    const last = open.at(-1);
    if (last && last[1] === low - 1) last[1] = high;
    else open.push([low, high]);
  }
  return open;
}
