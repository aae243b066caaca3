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

  /** By what the name means, not how it is written. */
  find(name: string): SavedRoom | undefined {
    const topic = roomTopic(name);
    return this.rooms.find((room) => roomTopic(room.name) === topic);
  }

  /** Throws WarrenError('disk') and changes nothing. */
  prefer(change: Partial<Preferences>): void {
    this.#save({ ...this.#content, preferences: { ...this.preferences, ...change } });
  }

  /** Takes the place of the same room's earlier entry. Throws WarrenError('disk'). */
  joined(room: SavedRoom): void {
    const topic = roomTopic(room.name);
    const others = this.rooms.filter(({ name }) => roomTopic(name) !== topic);
    const preferences = { ...this.preferences, nick: room.nick };
    this.#save({ preferences, rooms: newestFirst([room, ...others]) });
  }

  /** The entry, and all that this machine knows of the room. Throws WarrenError('disk'). */
  forget(name: string): void {
    const topic = roomTopic(name);
    forgetRoom(this.#stateDir, name);
    this.#save({ ...this.#content, rooms: this.rooms.filter((room) => roomTopic(room.name) !== topic) });
  }

  #save(content: AppFile): void {
    saveAppFile(this.#stateDir, content);
    this.#content = content;
  }
}
