import * as z from 'zod';
import { addressClaim } from '../protocol/peer.ts';
import type { RoomMemory } from './core/room/contract.ts';

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
