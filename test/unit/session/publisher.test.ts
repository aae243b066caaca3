import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { StatePublisher } from '../../../engine/session/publisher.ts';
import { DEFAULT_PREFERENCES } from '../../../engine/net/state/app-file.ts';
import type { AppState, StateChange } from '../../../protocol/face.ts';
import { snapshot } from '../cli/snapshots.ts';

const STATE: AppState = {
  snapshot: snapshot(),
  connection: { state: 'idle' },
  hosting: { state: 'off' },
  rooms: [],
  preferences: DEFAULT_PREFERENCES,
  invitation: null,
  about: { version: '1', platform: 'linux', shell: 'browser', locale: 'en', servers: [] },
};

let publisher: StatePublisher;
let heard: StateChange[];
beforeEach(() => {
  vi.useFakeTimers();
  publisher = new StatePublisher(STATE);
  heard = [];
  publisher.subscribe((change) => heard.push(change));
});
afterEach(() => vi.useRealTimers());

const round = (n: number) => snapshot({ room: { name: `round ${n}`, server: 's' } });

describe('a follower of the state', () => {
  it('gets all of it at once, then only what is not equal to what there was', () => {
    expect(heard).toEqual([STATE]);
    publisher.set({ connection: { state: 'idle' }, rooms: [], preferences: { ...DEFAULT_PREFERENCES } });
    expect(heard).toHaveLength(1);
    publisher.set({ connection: { state: 'starting', room: 'r' }, rooms: [] });
    expect(heard.slice(1)).toEqual([{ connection: { state: 'starting', room: 'r' } }]);
  });

  it('hears of snapshots ten times a second, and of the last one in any case', () => {
    for (let n = 1; n <= 1_000; n++) {
      publisher.set({ snapshot: round(n) });
      vi.advanceTimersByTime(1);
    }
    vi.advanceTimersByTime(200);
    const snapshots = heard.slice(1).map((change) => change.snapshot?.room?.name);
    expect(snapshots.length).toBeLessThanOrEqual(12);
    expect(snapshots.length).toBeGreaterThanOrEqual(9);
    expect(snapshots.at(-1)).toBe('round 1000');
  });

  it('gets the newest snapshot along with another change, without waiting', () => {
    publisher.set({ snapshot: round(1) });
    publisher.set({ snapshot: round(2) });
    publisher.set({ snapshot: round(3), connection: { state: 'running', room: 'r', attached: false } });
    expect(heard.at(-1)).toEqual({
      snapshot: round(3),
      connection: { state: 'running', room: 'r', attached: false },
    });
    const before = heard.length;
    vi.advanceTimersByTime(1_000);
    expect(heard).toHaveLength(before);
  });

  it('is not told of a snapshot that says the same', () => {
    publisher.set({ snapshot: snapshot() });
    vi.advanceTimersByTime(1_000);
    expect(heard).toHaveLength(1);
  });

  it('that comes later starts with the newest, and one that left hears nothing', () => {
    const late: StateChange[] = [];
    publisher.set({ snapshot: round(1) });
    publisher.set({ snapshot: round(2) });
    const leave = publisher.subscribe((change) => late.push(change));
    expect(late).toEqual([{ ...STATE, snapshot: round(2) }]);
    leave();
    publisher.set({ invitation: { name: 'n', servers: [], leaving: null } });
    expect(late).toHaveLength(1);
    expect(heard.at(-1)).toHaveProperty('invitation');
  });

  it('hears nothing after the end', () => {
    publisher.set({ snapshot: round(1) });
    publisher.set({ snapshot: round(2) });
    publisher.stop();
    expect(heard.at(-1)?.snapshot).toEqual(round(2));
    const before = heard.length;
    publisher.set({ connection: { state: 'starting', room: 'r' } });
    vi.advanceTimersByTime(1_000);
    expect(heard).toHaveLength(before);
  });
});
