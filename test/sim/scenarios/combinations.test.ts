/** All nine combinations of mapping and filtering (RFC 4787) against each other, with the ports that make each hardest. */
import { describe, expect } from 'vitest';
import { createRandom } from '../core/random.ts';
import type { Behaviour } from '../net/bindings.ts';
import type { NatOptions } from '../net/nat.ts';
import { scenario } from '../scenario.ts';
import { type Prospect, prospect } from '../theory.ts';

const BEHAVIOURS: [string, Behaviour][] = [
  ['EI', 'endpoint-independent'],
  ['AD', 'address-dependent'],
  ['APD', 'address-and-port-dependent'],
];

/** Mapping first, as in `EIM/ADF`. */
const COMBINATIONS = BEHAVIOURS.flatMap(([m, mapping]) =>
  BEHAVIOURS.map(([f, filtering]): [string, NatOptions] => [
    `${m}M/${f}F`,
    { mapping, filtering, ports: { kind: 'random' } },
  ]),
);

const PAIRS = COMBINATIONS.flatMap((a, i) => COMBINATIONS.slice(i).map((b): [typeof a, typeof a] => [a, b]));

/** Luck may be against the first attempts, and a budget is full again after two minutes. */
const LIMIT_MS: Record<Prospect, number> = {
  open: 8_000,
  measured: 30_000,
  guessed: 300_000,
  chance: 15_000,
  hopeless: 15_000,
  blocked: 15_000,
};

describe('nine kinds of NAT against each other', () => {
  for (const [[nameA, a], [nameB, b]] of PAIRS) {
    const expected = prospect([a], [b]);
    const direct = expected !== 'hopeless' && expected !== 'chance';
    // A filter that does not look at ports lets the other's packets in, and its answers find no way back.
    const oneWay = [a, b].some(({ filtering }) => filtering !== 'address-and-port-dependent');
    const reasons = ['hard-nat-pair', 'budget', 'no-answer', ...(oneWay ? ['one-way'] : [])];
    scenario(
      `${nameA} x ${nameB}: ${direct ? 'direct' : 'at least the relay'}`,
      2,
      (seed) => {
        const luck = createRandom(`combination ${seed}`);
        const link = () => ({ delayMs: luck.int(3, 40), jitterMs: luck.int(0, 5) });
        return {
          sites: [
            { nats: [a], link: link() },
            { nats: [b], link: link() },
          ],
          // One server with one address, or what tells all nine apart.
          servers: [{ twoAddresses: luck.chance(0.5) }],
        };
      },
      async (world) => {
        await world.joinAll(500);
        await world.until('everyone connected', () => world.allConnected(), 3_000);
        if (direct) {
          await world.until('a direct path', () => world.pairs().length === 2 && world.allDirect(), LIMIT_MS[expected]);
          await world.runFor(3_000);
          expect(world.allDirect()).toBe(true);
          return;
        }
        await world.runFor(LIMIT_MS[expected]);
        for (const [from, to] of world.pairs()) {
          const { path, reason } = from.peer(to) ?? {};
          if (path?.kind === 'relay') expect(reasons).toContain(reason);
          else expect(reason).toBeNull();
        }
      },
    );
  }
});
