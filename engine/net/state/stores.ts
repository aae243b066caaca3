/** What survives a restart: the machine's key, each room's memory, the toggles. Every file is 0600 in a 0700 directory. */
import { randomBytes } from 'node:crypto';
import { linkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { WarrenError } from '../../../protocol/errors.ts';
import { filterPreset } from '../../../protocol/filter.ts';
import type { StorePort } from '../../ports.ts';
import { diskError, privateDirectory, readIfThere, temporaryName, writeAtomic, writeSynced } from './files.ts';

const KEY_BYTES = 32;

/**
 * The static X25519 private key of this machine, 32 bytes, made on first use. Throws WarrenError('disk'): a damaged key
 * is never replaced by a new one, for it is who this member is.
 */
export function machineKey(stateDir: string): Uint8Array {
  privateDirectory(stateDir);
  const path = join(stateDir, 'machine.key');
  const bytes = readIfThere(path) ?? createKey(path);
  if (bytes.length !== KEY_BYTES) {
    throw new WarrenError('disk', `${path} is damaged (${bytes.length} bytes, not ${KEY_BYTES}): restore or remove it`);
  }
  return new Uint8Array(bytes);
}

/** Two first starts at once end with one key: `link` never replaces. */
function createKey(path: string): Uint8Array {
  const temporary = temporaryName(path);
  try {
    writeSynced(temporary, randomBytes(KEY_BYTES));
    linkSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw diskError('write', path, error);
  } finally {
    rmSync(temporary, { force: true });
  }
  const bytes = readIfThere(path);
  if (bytes === null) throw new WarrenError('disk', `${path} vanished`);
  return bytes;
}

/** A room's memory that can be thrown away. */
export interface RoomStore extends StorePort {
  /** Throws WarrenError('disk'). */
  remove(): void;
}

/** The memory of the room with this topic (64 hex digits). `save` throws WarrenError('disk') and leaves the old one whole. */
export function roomStore(stateDir: string, topic: string): RoomStore {
  if (!/^[0-9a-f]{64}$/.test(topic)) throw new WarrenError('invalid', 'a topic is 64 hex digits');
  const directory = join(stateDir, 'rooms');
  const path = join(directory, `${topic}.json`);
  return {
    load: () => readIfThere(path),
    save(bytes) {
      privateDirectory(stateDir);
      privateDirectory(directory);
      writeAtomic(path, bytes);
    },
    remove() {
      try {
        rmSync(path, { force: true });
      } catch (error) {
        throw diskError('remove', path, error);
      }
    },
  };
}

const settingsFile = z.object({
  portMapping: z.boolean().default(true),
  hardNat: z.boolean().default(true),
  discovery: z.boolean().default(true),
  filter: filterPreset.default('games'),
});
export type Settings = z.infer<typeof settingsFile>;
export const DEFAULT_SETTINGS: Settings = settingsFile.parse({});

const settingsPath = (stateDir: string) => join(stateDir, 'settings.json');

/** Defaults where nothing was set. Throws WarrenError('disk') for a file that cannot be read or understood. */
export function loadSettings(stateDir: string): Settings {
  const bytes = readIfThere(settingsPath(stateDir));
  if (bytes === null) return DEFAULT_SETTINGS;
  try {
    return settingsFile.parse(JSON.parse(Buffer.from(bytes).toString()));
  } catch (error) {
    throw new WarrenError('disk', `${settingsPath(stateDir)} is damaged: correct or remove it`, { cause: error });
  }
}

/** Changes what is named and keeps the rest. Throws WarrenError('disk'). */
export function saveSettings(stateDir: string, change: Partial<Settings>): Settings {
  privateDirectory(stateDir);
  const settings = { ...loadSettings(stateDir), ...change };
  writeAtomic(settingsPath(stateDir), `${JSON.stringify(settings, null, 2)}\n`);
  return settings;
}
