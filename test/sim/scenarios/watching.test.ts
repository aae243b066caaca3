/** What those who watch an engine are told, and how often. */
import { describe, expect } from 'vitest';
import { site } from '../profiles.ts';
import { scenario } from '../scenario.ts';

describe('watching', () => {
  scenario(
    'an idle room: probes alone publish nothing beyond the second by second refresh',
    2,
    () => ({ sites: Array.from({ length: 5 }, () => site('port-restricted')) }),
    async (world) => {
      await world.joinAll(500);
      await world.until('everyone direct', () => world.allDirect(), 10_000);
      await world.runFor(10_000);
      let snapshots = 0;
      world.members[0]?.engine?.subscribe(() => {
        snapshots += 1;
      });
      await world.runFor(30_000);
      expect(snapshots).toBeGreaterThan(25);
      // One at once, one a second, and what the room says of itself now and then.
      expect(snapshots).toBeLessThan(45);
    },
  );

  scenario(
    'whoever comes is shown by the name that it gave, from the first',
    6,
    () => ({
      sites: Array.from({ length: 8 }, () => ({ ...site('port-restricted'), link: { delayMs: 15, jitterMs: 60 } })),
    }),
    async (world) => {
      const shown = new Set<string>();
      for (const member of world.members) {
        member.start({ create: true });
        member.engine?.subscribe(({ peers }) => {
          for (const { nick } of peers) shown.add(nick);
        });
        await world.runFor(200);
      }
      await world.until('everyone connected', () => world.pairs().length === 56 && world.allConnected(), 20_000);
      const given = new Set(world.members.map(({ nick }) => nick));
      expect(shown).toEqual(given);
    },
  );

  scenario(
    'somebody who comes and is connected is seen before the next refresh',
    2,
    () => ({ sites: [site('port-restricted'), site('port-restricted')] }),
    async (world) => {
      const [a, b] = world.members;
      if (!a || !b) throw new Error('two members');
      a.start({ create: true });
      await world.runFor(1_000);
      let connected = false;
      a.engine?.subscribe(({ peers }) => {
        connected ||= peers.some(({ state }) => state === 'connected');
      });
      b.start();
      await world.until('connected', () => a.connectedTo(b), 5_000);
      await world.runFor(150);
      expect(connected).toBe(true);
    },
  );
});
