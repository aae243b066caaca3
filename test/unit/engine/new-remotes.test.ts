import { describe, expect, it } from 'vitest';
import {
  Budget,
  MAPPING_LIFETIME_MS,
  MAPPING_RESERVE,
  MAX_MAPPINGS,
  MAX_SESSIONS,
} from '../../../engine/core/budget.ts';
import { NewRemotes } from '../../../engine/new-remotes.ts';
import type { DeviceEvent } from '../../../engine/ports.ts';
import { createRandom } from '../../sim/core/random.ts';

type Ping = Extract<DeviceEvent, { type: 'ping' }>;

/** The device's count, and its events on their way to the engine. */
function stage(dependent: boolean) {
  const budget = new Budget();
  const clock = { now: () => state.now, epoch: () => 0, at: () => () => {} };
  const state = { now: 0, allowed: Number.POSITIVE_INFINITY, answered: 0 };
  const device = { allowNewRemotes: (total: number) => void (state.allowed = total) };
  const newRemotes = new NewRemotes({ clock, device, budget, dependentMappings: () => dependent });
  newRemotes.review();
  const underWay: Ping[] = [];
  let port = 0;
  return {
    state,
    budget,
    pinged() {
      const refused = state.answered >= state.allowed;
      if (!refused) state.answered += 1;
      const via = { socket: 0, remote: { ip: '203.0.113.9', port: ++port } };
      const answer = refused ? 'refused' : 'new';
      underWay.push({ type: 'ping', peer: 1, via, seq: port, answer, newRemotes: state.answered, at: state.now });
    },
    /** `lost`: the queue of events was full. */
    tell(count: number, { lost = false } = {}) {
      for (const event of underWay.splice(0, count)) {
        if (lost) continue;
        if (event.answer !== 'refused' && event.via !== 'external') {
          budget.sent(state.now, event.via.socket, event.via.remote, dependent);
        }
        newRemotes.heard(event);
      }
      newRemotes.review();
    },
    own(count: number) {
      for (let i = 0; i < count; i++) {
        const remote = { ip: '198.51.100.1', port: ++port };
        if (budget.take(state.now) && budget.admits(state.now, 0, remote, dependent)) {
          budget.sent(state.now, 0, remote, dependent);
        }
      }
      newRemotes.review();
    },
    underWay,
  };
}

describe('addresses that the device answers unasked', () => {
  it.each([
    ['mappings', true, MAX_MAPPINGS - MAPPING_RESERVE],
    ['sessions', false, MAX_SESSIONS - MAPPING_RESERVE],
  ])('end with the budget of %s', (_, dependent, most) => {
    const { state, pinged, tell } = stage(dependent);
    for (let i = 0; i < 3_000; i++) {
      pinged();
      tell(1);
    }
    expect(state.answered).toBe(most);
    state.now += MAPPING_LIFETIME_MS + 1;
    pinged();
    tell(1);
    pinged();
    expect(state.answered).toBe(most + 1);
  });

  it('are few while the engine does not listen, and many again when it does', () => {
    const { state, pinged, tell } = stage(true);
    for (let i = 0; i < 500; i++) pinged();
    expect(state.answered).toBe(12);
    tell(500);
    for (let i = 0; i < 500; i++) pinged();
    expect(state.answered).toBe(24);
  });

  it('go on after events were lost', () => {
    const { state, budget, pinged, tell } = stage(true);
    for (let i = 0; i < 40; i++) pinged();
    tell(3);
    tell(5, { lost: true });
    pinged();
    tell(41);
    expect(budget.mappingsUsed(state.now)).toBe(13);
    pinged();
    tell(1);
    expect(state.answered).toBe(14);
    expect(budget.mappingsUsed(state.now)).toBe(14);
  });

  it('never pass 300 with what leaves beside them, however late the engine hears of them', () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = createRandom(seed);
      const { state, budget, pinged, tell, own, underWay } = stage(true);
      for (let turn = 0; turn < 200; turn++) {
        for (let i = random.int(0, 60); i > 0; i--) pinged();
        if (random.int(0, 3) === 0) own(random.int(0, 80));
        if (random.int(0, 4) > 0) tell(random.int(0, 100));
        state.now += random.int(0, 400);
        const unheard = underWay.filter(({ answer }) => answer === 'new').length;
        expect(budget.mappingsUsed(state.now) + unheard).toBeLessThanOrEqual(MAX_MAPPINGS);
      }
    }
  });
});
