import { describe, expect, it } from 'vitest';
import type { Snapshot } from '../../../protocol/app.ts';
import { ACTORS } from '../../demo/scene.ts';
import { openSimulator } from '../../demo/simulator.ts';
import { everyoneReached, renderMembers, renderReach } from '../../demo/table.ts';

describe('the demo in the simulator', () => {
  it('ends with everyone reached directly, the random ports of one by guessing', async () => {
    const snapshots = new Map<string, Snapshot>();
    const scene = openSimulator();
    const reached = await scene.play((nick, snapshot) => snapshots.set(nick, snapshot));
    const live = renderMembers(ACTORS, snapshots).join('\n');
    await scene.close();

    expect(everyoneReached(reached, ACTORS.length)).toBe(true);
    expect(reached.map(({ path }) => path)).toEqual(reached.map(() => 'direct'));
    for (const { firstPacketMs } of reached) expect(firstPacketMs).toBeLessThan(2_000);
    expect(live).toContain('symmetric NAT');
    expect(renderReach(reached)).toHaveLength(1 + reached.length);
  });

  it('does not call it a success when a packet was lost or a pair is missing', () => {
    const reach = {
      from: 'a',
      to: 'b',
      firstPacketMs: 1,
      directMs: 1,
      path: 'direct' as const,
      rttMs: 1,
      sent: 3,
      received: 3,
    };
    expect(everyoneReached([reach, reach], 2)).toBe(true);
    expect(everyoneReached([reach], 2)).toBe(false);
    expect(everyoneReached([reach, { ...reach, received: 2 }], 2)).toBe(false);
    expect(everyoneReached([reach, { ...reach, sent: 0, received: 0 }], 2)).toBe(false);
  });
});
