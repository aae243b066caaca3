/** Preferences and joined rooms, in memory and in the state directory. */
import type { Preferences, SavedRoom } from '../../protocol/face.ts';
import { roomTopic } from '../core/crypto/topic.ts';
import { type AppFile, DEFAULT_PREFERENCES, loadAppFile, newestFirst, saveAppFile } from '../net/state/app-file.ts';
import { forgetRoom } from '../net/state/saved-room.ts';
import type { LogLevel } from './log-ring.ts';

export class Book {
  readonly #stateDir: string;
  #content: AppFile;

  /** A file that cannot be read or understood is told to the log; the app starts all the same. */
  constructor(stateDir: string, log: (level: LogLevel, message: string) => void) {
    this.#stateDir = stateDir;
    this.#content = { preferences: DEFAULT_PREFERENCES, rooms: [] };
    try {
      const { damaged, ...content } = loadAppFile(stateDir);
      this.#content = content;
      if (damaged) log('warn', 'the preferences file is damaged: what could not be understood has its defaults');
    } catch (error) {
      log('warn', `the preferences cannot be read: ${(error as Error).message}`);
    }
  }

  get preferences(): Preferences {
    return this.#content.preferences;
  }

  /** Newest first. */
  get rooms(): readonly SavedRoom[] {
    return this.#content.rooms;
  }

  /** Throws WarrenError('disk') and changes nothing. */
  prefer(change: Partial<Preferences>): void {
    this.#change(({ preferences, rooms }) => ({ preferences: { ...preferences, ...change }, rooms }));
  }

  /** Takes the place of the same room's earlier entry. Throws WarrenError('disk'). */
  joined(room: SavedRoom): void {
    this.#change(({ preferences, rooms }) => ({
      preferences: { ...preferences, nick: room.nick },
      rooms: newestFirst([room, ...without(rooms, room.name)]),
    }));
  }

  /** The entry, and all that this machine knows of the room. Throws WarrenError('disk'). */
  forget(name: string): void {
    forgetRoom(this.#stateDir, name);
    this.#change(({ preferences, rooms }) => ({ preferences, rooms: without(rooms, name) }));
  }

  /** From what the file says now: a window and a browser may both be open. */
  #change(change: (content: AppFile) => AppFile): void {
    const { damaged, ...present } = loadAppFile(this.#stateDir);
    const content = change(damaged ? this.#content : present);
    saveAppFile(this.#stateDir, content);
    this.#content = content;
  }
}

/** Rooms are the same by what their names mean, not by how they are written. */
function without(rooms: readonly SavedRoom[], name: string): SavedRoom[] {
  const topic = roomTopic(name);
  return rooms.filter((room) => roomTopic(room.name) !== topic);
}
