import * as z from 'zod';
import { addressClaim } from '../protocol/peer.ts';
import type { RoomMemory } from './core/room/contract.ts';
import type { EnginePorts } from './options.ts';

const roomMemory: z.ZodType<RoomMemory> = z.object({
  prs: z.string().nullable(),
  roomTag: z.string().nullable(),
  prefix: z.object({ epoch: z.int().min(0), index: z.int().min(0) }),
  claims: z.array(addressClaim).max(250),
  pins: z.array(z.object({ key: z.string().length(44), nick: z.string().max(64) })).max(1_000),
  blocked: z.array(z.string().length(44)).max(1_000),
});

/** Null where the bytes are no room memory. */
export function decodeMemory(bytes: Uint8Array): RoomMemory | null {
  try {
    return roomMemory.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch {
    return null;
  }
}

export function encodeMemory(memory: RoomMemory): Uint8Array {
  return Buffer.from(JSON.stringify(memory));
}

/** The remembered room, or null where there is none or the file is not to be read. */
export function readMemory({ store, log }: Pick<EnginePorts, 'store' | 'log'>): RoomMemory | null {
  const bytes = store.load();
  if (bytes === null) return null;
  const memory = decodeMemory(bytes);
  if (memory === null) log('warn', 'the remembered room is damaged and will be written anew');
  return memory;
}
