import { describe, expect, it } from 'vitest';
import type { RoomMemory } from '../../../engine/core/room/contract.ts';
import { decodeMemory } from '../../../engine/memory.ts';
import { Saver } from '../../../engine/saver.ts';

const memory = (index: number): RoomMemory => ({
  prs: null,
  roomTag: null,
  prefix: { epoch: 0, index },
  claims: [],
  pins: [],
  blocked: [],
});

function world(save: (bytes: Uint8Array) => void) {
  let due: (() => void) | null = null;
  let failures = 0;
  const clock = {
    now: () => 0,
    epoch: () => 0,
    at: (_at: number, callback: () => void) => {
      due = callback;
      return () => {
        due = null;
      };
    },
  };
  const saver = new Saver({ clock, store: { load: () => null, save }, log: () => {} }, () => {
    failures += 1;
  });
  return { saver, fire: () => due?.(), pending: () => due !== null, failures: () => failures };
}

describe('saving a room', () => {
  it('writes a burst once, with its newest content', () => {
    const written: (number | undefined)[] = [];
    const { saver, fire, pending } = world((bytes) => written.push(decodeMemory(bytes)?.prefix.index));
    for (const index of [1, 2, 3]) saver.soon(memory(index));
    expect(written).toEqual([]);
    fire();
    expect(written).toEqual([3]);
    saver.soon(memory(4));
    saver.flush();
    expect(written).toEqual([3, 4]);
    expect(pending()).toBe(false);
    saver.flush();
    expect(written).toEqual([3, 4]);
  });

  it('says that the disk refused, and tries again with what comes next', () => {
    let full = true;
    const written: number[] = [];
    const { saver, failures } = world((bytes) => {
      if (full) throw new Error('ENOSPC');
      written.push(bytes.length);
    });
    saver.soon(memory(1));
    saver.flush();
    expect(failures()).toBe(1);
    full = false;
    saver.soon(memory(2));
    saver.flush();
    expect(written).toHaveLength(1);
    expect(failures()).toBe(1);
  });
});
