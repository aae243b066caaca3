/** The import table of the house: which room may import which, and which packages. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';

export interface RoomRule {
  /** Folder prefix; the longest that fits decides. */
  room: string;
  rooms: string[];
  /** Packages and `node:` (all of Node) that it may use. */
  packages: string[];
}

export const ROOM_RULES: RoomRule[] = [
  { room: 'protocol', rooms: [], packages: ['zod'] },
  {
    room: 'engine/core',
    rooms: ['protocol'],
    packages: ['zod', '@noble/curves', '@noble/hashes', '@noble/ciphers', 'ipaddr.js'],
  },
  {
    room: 'engine/net',
    rooms: ['engine', 'engine/core', 'protocol'],
    packages: ['node:', 'ws', 'https-proxy-agent', 'ipaddr.js', 'zod', 'fast-xml-parser'],
  },
  {
    room: 'engine',
    rooms: ['engine/core', 'engine/net', 'protocol'],
    packages: ['node:', 'zod', 'ipaddr.js', 'jsonc-parser', 'dns-packet'],
  },
  { room: 'native', rooms: [], packages: ['node:'] },
  {
    room: 'server',
    rooms: ['protocol', 'engine/core/stun'],
    packages: ['node:', 'ws', 'zod', 'prom-client', 'ipaddr.js'],
  },
  {
    room: 'cli',
    rooms: ['engine', 'engine/core', 'engine/net', 'protocol', 'server'],
    packages: [
      'node:',
      'node-wireguard',
      'commander',
      'picocolors',
      'log-update',
      'string-width',
      'uqr',
      'ipaddr.js',
      'zod',
      'ws',
    ],
  },
  {
    room: 'electron',
    rooms: ['engine', 'engine/core', 'engine/net', 'protocol', 'server'],
    packages: ['node:', 'electron', 'node-wireguard', 'zod'],
  },
  { room: 'electron/preload', rooms: ['protocol'], packages: ['electron'] },
  {
    room: 'renderer',
    rooms: ['protocol'],
    packages: ['react', 'react-dom', 'zustand', 'use-intl', 'lucide-react', 'uqr', 'zod', 'vite'],
  },
];

export interface Import {
  file: string;
  /** A path from the root, or a package name. */
  target: string;
  local: boolean;
  typeOnly: boolean;
}

const IMPORT =
  /^\s*(import|export)\s+(type\s+)?(?:[^'"]*?\sfrom\s+)?['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)/gm;

/** Imports of every TypeScript file under the given folders, in a tree at `root`. */
export function readImports(root: string, folders: string[]): Import[] {
  return folders.flatMap((folder) => listFiles(join(root, folder))).flatMap((path) => importsOf(root, path));
}

function listFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return ['node_modules', 'build', 'dist'].includes(entry.name) ? [] : listFiles(path);
    return /\.(?:ts|tsx|cts)$/.test(entry.name) ? [path] : [];
  });
}

function importsOf(root: string, path: string): Import[] {
  const file = relative(root, path);
  return [...readFileSync(path, 'utf8').matchAll(IMPORT)].map((match) => {
    const specifier = match[3] ?? match[4] ?? '';
    const local = specifier.startsWith('.');
    const target = local ? normalize(join(dirname(file), specifier)) : specifier;
    return { file, target, local, typeOnly: match[2] !== undefined };
  });
}

export function ruleOf(rules: RoomRule[], path: string): RoomRule | undefined {
  return rules.filter((rule) => path.startsWith(`${rule.room}/`)).sort((a, b) => b.room.length - a.room.length)[0];
}

/** One sentence for each import that the table does not allow. */
export function violations(rules: RoomRule[], imports: Import[]): string[] {
  return imports.flatMap((entry) => {
    const from = ruleOf(rules, entry.file);
    if (!from) return [];
    const allowed = entry.local ? localAllowed(rules, from, entry.target) : packageAllowed(from, entry.target);
    return allowed ? [] : [`${entry.file} may not import ${entry.target}`];
  });
}

function localAllowed(rules: RoomRule[], from: RoomRule, target: string): boolean {
  const room = ruleOf(rules, target)?.room;
  if (room === from.room) return true;
  return from.rooms.some((allowed) => allowed === room || (target.startsWith(`${allowed}/`) && allowed.includes('/')));
}

function packageAllowed(from: RoomRule, target: string): boolean {
  return from.packages.some((name) => target === name || target.startsWith(name.endsWith(':') ? name : `${name}/`));
}

/** Import cycles at run time, each as the files on its way round. */
export function cycles(imports: Import[]): string[][] {
  const edges = new Map<string, string[]>();
  for (const { file, target, local, typeOnly } of imports)
    if (local && !typeOnly) edges.set(file, [...(edges.get(file) ?? []), target]);
  const found: string[][] = [];
  const done = new Set<string>();
  const visit = (file: string, way: string[]): void => {
    const at = way.indexOf(file);
    if (at >= 0) {
      found.push(way.slice(at));
      return;
    }
    if (done.has(file)) return;
    for (const next of edges.get(file) ?? []) visit(next, [...way, file]);
    done.add(file);
  };
  for (const file of edges.keys()) visit(file, []);
  return found;
}
