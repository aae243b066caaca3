/**
 * Games by their discovery packets: which ports and group they use, and by which bytes a packet is a host's. People add
 * their own in `games.json` of the state directory, in this very form.
 */
import * as z from 'zod';

/** Where members answer each other's discovery check: unassigned, and of the organization-local groups (RFC 2365). */
export const PROBE_PORT = 47_868;
export const PROBE_GROUP = '239.255.78.68';

const portNumber = z.int().min(1).max(65_535);
/** Hex digits, `..` for any byte. */
const pattern = z
  .string()
  .regex(/^(?:[0-9a-f]{2}|\.\.)+$/)
  .max(128);

export const gameEntry = z.object({
  name: z.string().min(1).max(64),
  /** UDP destination ports, single or from-to. */
  ports: z
    .array(z.union([portNumber, z.tuple([portNumber, portNumber])]))
    .min(1)
    .max(16),
  /** Multicast group; absent: broadcast. */
  group: z.ipv4().optional(),
  /** What a host's packet begins with; absent: the game's packets do not tell hosts from players. */
  host: z.array(pattern).max(8).optional(),
});
export type GameEntry = z.infer<typeof gameEntry>;
export const gameTable = z.array(gameEntry).max(256);

/** Byte patterns from packets of the games themselves; ports as their documentation or their players name them. */
export const GAMES: readonly GameEntry[] = [
  // W3GS: f7 31 game created, f7 32 game refreshed.
  { name: 'Warcraft III', ports: [6112], host: ['f730', 'f731', 'f732'] },
  { name: 'StarCraft: Brood War', ports: [6111] },
  { name: 'Source engine', ports: [[27_015, 27_020]] },
  // `[MOTD]`: only hosts speak.
  { name: 'Minecraft', ports: [4445], group: '224.0.2.60', host: ['5b4d4f54445d'] },
  { name: 'Minecraft (Bedrock)', ports: [19_132] },
  {
    name: 'ArmA 2 / DayZ',
    ports: [
      [2302, 2349],
      [2361, 2470],
    ],
  },
  { name: 'Trackmania', ports: [[2350, 2360]] },
  { name: 'Unreal Tournament 2004', ports: [10_777] },
  { name: 'Warsow', ports: [44_400] },
  { name: 'FlatOut 2', ports: [23_757] },
  { name: 'Blur', ports: [50_001] },
  { name: 'Torchlight 2', ports: [4549] },
  { name: 'Titan Quest', ports: [42_801] },
  { name: 'Command & Conquer 3', ports: [8086] },
  { name: 'OpenTTD', ports: [3979, 3978] },
  { name: 'DirectPlay', ports: [47_624, [2300, 2301], 6073] },
  { name: 'IPX (IPXWrapper)', ports: [54_792] },
  { name: 'Factorio', ports: [34_197] },
];

/** What one datagram to everybody says. */
export interface Heard {
  name: string;
  /** True: a host's; false: surely a player's; null: it does not say. */
  host: boolean | null;
}

/** The game that a datagram belongs to: the user's entries first, then the narrowest; null for what no entry knows. */
export function recognise(
  table: readonly GameEntry[],
  to: { ip: string; port: number },
  payload: Uint8Array,
): Heard | null {
  const entry = table.find(
    (game) => (game.group === undefined ? !isMulticast(to.ip) : game.group === to.ip) && usesPort(game, to.port),
  );
  if (!entry) return null;
  const host = entry.host === undefined ? null : entry.host.some((text) => beginsWith(payload, text));
  return { name: entry.name, host };
}

/** The multicast groups that games of the table use. */
export function groupsOf(table: readonly GameEntry[]): string[] {
  return [...new Set(table.flatMap(({ group }) => (group === undefined ? [] : [group])))];
}

export function usesPort({ ports }: Pick<GameEntry, 'ports'>, port: number): boolean {
  return ports.some((one) => (typeof one === 'number' ? one === port : one[0] <= port && port <= one[1]));
}

function isMulticast(ip: string): boolean {
  const first = Number(ip.split('.')[0]);
  return first >= 224 && first <= 239;
}

function beginsWith(bytes: Uint8Array, text: string): boolean {
  if (bytes.length < text.length / 2) return false;
  for (let i = 0; i < text.length / 2; i++) {
    const wanted = text.slice(2 * i, 2 * i + 2);
    if (wanted !== '..' && Number.parseInt(wanted, 16) !== bytes[i]) return false;
  }
  return true;
}
