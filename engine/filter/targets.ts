/** What a policy's rule is about: `tcp:25565`, `udp:6112-6119,6200`, `icmp`, `games`, `*`. */
import type { FilterRule } from '../ports.ts';
import { openPorts } from './evaluate.ts';
import { PRESET_RULES } from './presets.ts';

/** A target without its verdict. */
export type Target = Omit<FilterRule, 'action'>;

const PROTOCOLS = ['tcp', 'udp'] as const;
const RANGE = /^(\d{1,5})(?:-(\d{1,5}))?$/;

/** Null when it is none. */
export function parseTarget(text: string): Target[] | null {
  if (text === '*') return [{}];
  if (text === 'icmp') return [{ protocol: 'icmp' }];
  if (text === 'games') return gameTargets();
  const [name = '', list] = text.split(':', 2);
  const protocols = PROTOCOLS.filter((protocol) => name === protocol || name === '*');
  if (protocols.length === 0) return null;
  const ports = list === undefined || list === '*' ? [] : parsePorts(list);
  return ports === null ? null : protocols.map((protocol) => ({ protocol, ...(ports.length > 0 ? { ports } : {}) }));
}

function parsePorts(list: string): [number, number][] | null {
  const ports: [number, number][] = [];
  for (const part of list.split(',')) {
    const match = RANGE.exec(part.trim());
    const low = Number(match?.[1]);
    const high = Number(match?.[2] ?? match?.[1]);
    if (match === null || low > high || high > 65_535) return null;
    ports.push([low, high]);
  }
  return ports;
}

/** What the preset of that name lets in. */
function gameTargets(): Target[] {
  const named = PROTOCOLS.map((protocol): Target => ({ protocol, ports: openPorts(PRESET_RULES.games, protocol) }));
  return [...named, { protocol: 'icmp' }];
}
