/** Every pair of NATs: direct where the theory gives a path without guessing ports, over the relay elsewhere. */
import { describe, expect } from 'vitest';
import { createRandom } from '../core/random.ts';
import { type Profile, profilePairs, site } from '../profiles.ts';
import { scenario } from '../scenario.ts';

/** A fresh mapping towards the peer has a port that the peer cannot know, and the filter looks at ports. */
const STRICT: readonly Profile[] = ['symmetric-random', 'symmetric-block', 'symmetric-sequential', 'symmetric-down'];
/** The same, but the filter looks at addresses only. */
const RESTRICTED: readonly Profile[] = ['symmetric-restricted', 'symmetric-restricted-flows'];
/** The same without a filter: the mapping that a server sees lets the peer in. */
const OPEN: readonly Profile[] = ['symmetric-open', 'symmetric-open-flows'];
const HARD: readonly Profile[] = [...STRICT, ...RESTRICTED, ...OPEN];
/** What was let in is answered by the way it came. */
const FLOWS: readonly Profile[] = ['symmetric-open-flows', 'symmetric-restricted-flows'];
/** Its own port is known, and its filter does not look at ports. */
const LENIENT: readonly Profile[] = ['public', 'full-cone', 'address-restricted'];
/** Its next port can be measured. */
const COUNTING: readonly Profile[] = ['symmetric-sequential', 'symmetric-down'];

/** One hard side is punched, two that count cross; an open one is reached, and answers where the other's filter lets it. */
function directExpected(a: Profile, b: Profile): boolean {
  if (a === 'udp-blocked' || b === 'udp-blocked') return false;
  if (!HARD.includes(a) || !HARD.includes(b)) return true;
  if (COUNTING.includes(a) && COUNTING.includes(b)) return true;
  return [
    [a, b],
    [b, a],
  ].some(([one, other]) => OPEN.includes(one!) && (FLOWS.includes(one!) || !STRICT.includes(other!)));
}

/** A counter meets a block in about every fourth attempt; a port is found in two of three, or by either side in nine of ten. */
function mayBeDirect(a: Profile, b: Profile): boolean {
  return [
    [a, b],
    [b, a],
  ].some(([one, other]) => {
    if (one === 'symmetric-block' && COUNTING.includes(other!)) return true;
    return RESTRICTED.includes(one!) && (FLOWS.includes(one!) ? HARD : RESTRICTED).includes(other!);
  });
}

/** Guessing takes its time; everything else is a matter of round trips. */
function limitMs(a: Profile, b: Profile): number {
  const easy = LENIENT.includes(a) || LENIENT.includes(b) || (!HARD.includes(a) && !HARD.includes(b));
  return easy ? 8_000 : 20_000;
}

describe('pairs of NATs', () => {
  for (const [a, b] of profilePairs()) {
    const direct = directExpected(a, b);
    scenario(
      `${a} x ${b}: ${direct ? 'direct' : mayBeDirect(a, b) ? 'direct or relay' : 'relay'}`,
      2,
      (seed) => {
        const luck = createRandom(seed);
        const link = () => ({ delayMs: luck.int(3, 40), jitterMs: luck.int(0, 5) });
        return { sites: [site(a, { link: link() }), site(b, { link: link() })] };
      },
      async (world) => {
        await world.joinAll(500);
        await world.until('everyone connected', () => world.allConnected(), 3_000);
        if (direct) {
          await world.until('a direct path', () => world.allDirect(), limitMs(a, b));
          await world.runFor(2_000);
          expect(world.allDirect()).toBe(true);
        } else {
          await world.runFor(10_000);
          if (mayBeDirect(a, b)) return;
          for (const [from, to] of world.pairs()) {
            expect(from.peer(to)?.path?.kind).toBe('relay');
            expect(from.peer(to)?.reason).not.toBeNull();
          }
        }
      },
    );
  }
});
