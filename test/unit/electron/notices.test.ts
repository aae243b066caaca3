import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_NOTICES, noticesBetween } from '../../../electron/main/notices.ts';
import type { PeerSnapshot } from '../../../protocol/app.ts';
import type { AppState } from '../../../protocol/face.ts';
import { app, joined } from '../../e2e/fixtures/sample.ts';
import { connecting, crowd, lost, member, relayed } from '../../e2e/fixtures/members.ts';

const room = (peers: PeerSnapshot[], notifications = true): AppState => {
  const state = joined(peers);
  return { ...state, preferences: { ...state.preferences, language: 'en', notifications } };
};
const off = app();

/** Plays states at their times (ms); what was said at each. */
function play(steps: readonly [number, AppState][]): string[][] {
  let memory = NO_NOTICES;
  let before: AppState = off;
  return steps.map(([now, state]) => {
    const next = noticesBetween(memory, before, state, now);
    memory = next.memory;
    before = state;
    return next.lines;
  });
}
const ann = member(1, { nick: 'Ann' });
const annRelayed = relayed(1, 'connecting', { nick: 'Ann' });

describe('a notification', () => {
  it('tells who came, who is direct and who left', () => {
    const said = play([
      [0, room([])],
      [60_000, room([annRelayed])],
      [80_000, room([ann])],
      [160_000, room([])],
    ]);
    expect(said).toEqual([[], ['Ann joined friday-night'], ['Direct connection with Ann'], ['Ann left friday-night']]);
  });

  it('is not sent for those who were there first', () => {
    const said = play([
      [0, room([])],
      [300, room([annRelayed])],
      [900, room([ann])],
    ]);
    expect(said.flat()).toEqual([]);
  });

  it('takes a lost member for one who left', () => {
    const said = play([
      [0, room([member(3)])],
      [60_000, room([lost(3)])],
    ]);
    expect(said[1]).toHaveLength(1);
    expect(said[1]?.[0]).toMatch(/ left friday-night$/);
  });

  it('is sent once for a member who flaps', () => {
    const said = play([
      [0, room([])],
      [60_000, room([ann])],
      [61_000, room([])],
      [62_000, room([ann])],
      [63_000, room([])],
      [64_000, room([ann])],
    ]);
    expect(said.flat()).toEqual(['Ann joined friday-night', 'Ann left friday-night']);
  });

  it('is one for a crowd', () => {
    const said = play([
      [0, room([])],
      [60_000, room(crowd(60))],
    ]);
    expect(said[1]).toHaveLength(1);
    expect(said[1]?.[0]).toMatch(/^\d+ changes in friday-night$/);
  });

  it('is not sent where they are off, nor of a blocked member, nor when we leave', () => {
    expect(
      play([
        [0, room([], false)],
        [60_000, room([ann], false)],
      ]).flat(),
    ).toEqual([]);
    expect(
      play([
        [0, room([])],
        [60_000, room([member(1, { blocked: true })])],
      ]).flat(),
    ).toEqual([]);
    expect(
      play([
        [0, room([ann])],
        [60_000, off],
      ]).flat(),
    ).toEqual([]);
  });

  it('never becomes a storm, whatever a room does', () => {
    const peer = fc
      .tuple(fc.integer({ min: 1, max: 8 }), fc.constantFrom('direct', 'relayed', 'connecting', 'lost'))
      .map(([index, kind]) =>
        kind === 'direct'
          ? member(index)
          : kind === 'relayed'
            ? relayed(index, 'no-answer')
            : kind === 'lost'
              ? lost(index)
              : connecting(index),
      );
    const peers = fc.uniqueArray(peer, { selector: ({ publicKey }) => publicKey, maxLength: 8 });
    fc.assert(
      fc.property(fc.array(peers, { maxLength: 40 }), (rooms) => {
        const said = play(rooms.map((there, index) => [index * 250, room(there)]));
        expect(said.flat().length).toBeLessThanOrEqual(4);
      }),
    );
  });
});
