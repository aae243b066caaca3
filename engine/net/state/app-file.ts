/** What the app with a screen remembers: preferences and the rooms that were joined from it. Passwords are never among it. */
import { join } from 'node:path';
import * as z from 'zod';
import { type Preferences, preferences, type SavedRoom, savedRoom } from '../../../protocol/face.ts';
import { privateDirectory, readIfThere, writeAtomic } from './files.ts';

/** More than a person has; the oldest are forgotten. */
export const ROOMS_KEPT = 50;

export const DEFAULT_PREFERENCES: Preferences = {
  language: 'auto',
  theme: 'system',
  nick: '',
  notifications: true,
  autostart: false,
  rejoin: false,
};

export interface AppFile {
  preferences: Preferences;
  /** Newest first. */
  rooms: SavedRoom[];
}

const path = (stateDir: string) => join(stateDir, 'app.json');
const file = z.object({ preferences: z.record(z.string(), z.unknown()), rooms: z.array(z.unknown()) });

/**
 * What can be understood of the file, and defaults for the rest: one wrong value does not cost the others. `damaged`
 * says that something was not understood. Throws WarrenError('disk') for a file that cannot be read.
 */
export function loadAppFile(stateDir: string): AppFile & { damaged: boolean } {
  const bytes = readIfThere(path(stateDir));
  if (bytes === null) return { preferences: DEFAULT_PREFERENCES, rooms: [], damaged: false };
  const parsed = file.safeParse(parseJson(bytes));
  if (!parsed.success) return { preferences: DEFAULT_PREFERENCES, rooms: [], damaged: true };
  const rooms = parsed.data.rooms.flatMap((entry) => savedRoom.safeParse(entry).data ?? []);
  const known = knownPreferences(parsed.data.preferences);
  const damaged = rooms.length < parsed.data.rooms.length || known.damaged;
  return { preferences: known.preferences, rooms: newestFirst(rooms), damaged };
}

/** Throws WarrenError('disk') and leaves the old file whole. */
export function saveAppFile(stateDir: string, content: AppFile): void {
  privateDirectory(stateDir);
  writeAtomic(path(stateDir), `${JSON.stringify(content, null, 2)}\n`);
}

export function newestFirst(rooms: readonly SavedRoom[]): SavedRoom[] {
  return [...rooms].sort((a, b) => b.lastUsed - a.lastUsed).slice(0, ROOMS_KEPT);
}

function knownPreferences(values: Record<string, unknown>): { preferences: Preferences; damaged: boolean } {
  let damaged = false;
  const entries = Object.entries(preferences.shape).flatMap(([name, schema]) => {
    if (!Object.hasOwn(values, name)) return [];
    const parsed = schema.safeParse(values[name]);
    damaged ||= !parsed.success;
    return parsed.success ? [[name, parsed.data] as const] : [];
  });
  return { preferences: { ...DEFAULT_PREFERENCES, ...Object.fromEntries(entries) }, damaged };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return null;
  }
}
