/** The memory of a room by its name as typed. */
import { roomTopic } from '../../core/crypto/topic.ts';
import { decodeMemory } from '../../memory.ts';
import { roomStore } from './stores.ts';

/** Whether the engine can join this room without being told the password again. Throws WarrenError('disk'). */
export function isSavedRoom(stateDir: string, room: string): boolean {
  const bytes = roomStore(stateDir, roomTopic(room)).load();
  return bytes !== null && decodeMemory(bytes)?.prs != null;
}

/** Its password, its members' keys and addresses: all that this machine knows of it. Throws WarrenError('disk'). */
export function forgetRoom(stateDir: string, room: string): void {
  roomStore(stateDir, roomTopic(room)).remove();
}
