import { describe, expect, it } from 'vitest';
import { Pacer } from '../../../engine/core/room/pacer.ts';
import { together, World } from './harness.ts';

const signal = (member: string) => ({ member, payload: new Uint8Array() });

describe('signals', () => {
  it('leave at four fifths of what the server takes, in order', () => {
    const pacer = new Pacer();
    pacer.open(0, 50, 0);
    for (let i = 0; i < 100; i++) pacer.add(0, signal(String(i)));
    expect(pacer.take(0)).toHaveLength(40);
    expect(pacer.deadline(0)).toBe(25);
    expect(pacer.take(25).map(({ member }) => member)).toEqual(['40']);
    expect(pacer.take(1_025)).toHaveLength(40);
    expect(pacer.take(1_025, true)).toHaveLength(19);
    expect(pacer.deadline(2_000)).toBe(Number.POSITIVE_INFINITY);
  });

  it('end with their connection', () => {
    const pacer = new Pacer();
    pacer.add(0, signal('nobody'));
    pacer.open(0, 50, 0);
    for (let i = 0; i < 50; i++) pacer.add(0, signal('a'));
    pacer.take(0);
    pacer.close(0);
    pacer.open(0, 50, 1);
    expect(pacer.take(1)).toEqual([]);
  });

  it('of a busy room are never too many for the server', () => {
    const world = new World();
    world.signalsPerSecond = 5;
    const nodes = Array.from({ length: 6 }, (_, i) => world.node({ name: `n${i}` }).start());
    world.until(() => together(...nodes), 120_000, 100);
    expect(world.servers[0]?.limited).toBe(0);
  });
});
