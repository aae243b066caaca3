import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AppClient, AppCommand, CommandAnswer, StateChange } from '../../../protocol/face.ts';
import { announcements } from '../../../renderer/store/announce.ts';
import { inOrder, standing, tally } from '../../../renderer/store/member.ts';
import { addSamples, SAMPLES_KEPT } from '../../../renderer/store/samples.ts';
import { share } from '../../../renderer/store/share.ts';
import { createFace, draftOf, noticeId } from '../../../renderer/store/store.ts';
import { member, mixedRoom, path, relayed } from '../../e2e/fixtures/members.ts';
import { app, joined } from '../../e2e/fixtures/sample.ts';
import { STATES } from '../../e2e/fixtures/states.ts';

/** An app that says what the test says. */
function fakeApp(first: StateChange = app()) {
  const asked: AppCommand[] = [];
  let answer: CommandAnswer = { ok: true, result: null };
  let tell: (change: StateChange) => void = () => {};
  let link: (up: boolean) => void = () => {};
  let refuse: (refused: boolean) => void = () => {};
  const client: AppClient & { onRefused(listener: (refused: boolean) => void): () => void } = {
    subscribe(listener) {
      tell = listener;
      listener(first);
      return () => {
        tell = () => {};
      };
    },
    async command(command) {
      asked.push(command);
      return answer;
    },
    onLink(listener) {
      link = listener;
      listener(true);
      return () => {};
    },
    onRefused(listener) {
      refuse = listener;
      return () => {};
    },
  };
  return {
    client,
    asked,
    tell: (change: StateChange) => tell(change),
    link: (up: boolean) => link(up),
    refuse: () => refuse(true),
    answers: (next: CommandAnswer) => {
      answer = next;
    },
  };
}

describe('structural sharing', () => {
  const json = fc.jsonValue();

  it('gives what was told', () => {
    fc.assert(
      fc.property(json, json, (before, next) => {
        expect(share(before, next)).toEqual(next);
      }),
    );
  });

  it('takes __proto__ for a name like any other', () => {
    const next: unknown = JSON.parse('{"__proto__":{},"a":1}');
    expect(share({}, next)).toEqual(next);
    expect(Object.getPrototypeOf(share({ b: 2 }, next))).toBe(Object.prototype);
    expect(share(structuredClone(next), next)).toEqual(next);
  });

  it('keeps the identity of what is equal', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(share(value, structuredClone(value))).toBe(value);
      }),
    );
  });

  it('keeps the members that did not change', () => {
    const before = [member(1), member(2)];
    const next = share(before, [structuredClone(member(1)), member(2, { nick: 'new' })]);
    expect(next[0]).toBe(before[0]);
    expect(next[1]).not.toBe(before[1]);
  });
});

describe('the store', () => {
  it('takes the whole state, then what changed', () => {
    const fake = fakeApp();
    const face = createFace(fake.client);
    fake.tell({ connection: { state: 'starting', room: 'den' } });
    expect(face.state.getState().app).toEqual(app({ connection: { state: 'starting', room: 'den' } }));
  });

  it('draws nothing again when nothing changed', () => {
    const fake = fakeApp(joined([member(1)]));
    const face = createFace(fake.client, () => 0);
    const before = face.state.getState().app;
    fake.tell(structuredClone(joined([member(1)])));
    expect(face.state.getState().app).toBe(before);
  });

  it('says when the app is lost, is back, and refuses', () => {
    const fake = fakeApp();
    const face = createFace(fake.client);
    const seen = [face.state.getState().link];
    for (const step of [() => fake.link(false), () => fake.link(true), () => fake.refuse()]) {
      step();
      seen.push(face.state.getState().link);
    }
    expect(seen).toEqual(['up', 'lost', 'up', 'refused']);
  });

  it('shows what could not be done, until it is put away', async () => {
    const fake = fakeApp();
    const { actions, state } = createFace(fake.client);
    fake.answers({ ok: false, code: 'unreachable' });
    await actions.ask({ type: 'leave' });
    const [toast] = state.getState().toasts;
    expect(toast?.code).toBe('unreachable');
    actions.closeToast(toast?.id ?? -1);
    expect(state.getState().toasts).toEqual([]);
  });

  it('hears nothing more once it is closed', () => {
    const fake = fakeApp();
    const face = createFace(fake.client);
    face.close();
    face.close();
    fake.tell({ connection: { state: 'starting', room: 'den' } });
    expect(face.state.getState().app?.connection.state).toBe('idle');
  });

  it('keeps what was typed over a failed try, and offers the room that failed', () => {
    const fake = fakeApp(STATES['failed-wrong-password']!.state);
    const { actions, state } = createFace(fake.client);
    expect(draftOf(state.getState())).toMatchObject({ nick: 'alice', room: 'friday-night', password: '' });
    actions.edit({ password: 'typed' });
    fake.tell({ connection: { state: 'failed', room: 'other', code: 'no-server', at: 1 } });
    expect(draftOf(state.getState())).toMatchObject({ room: 'friday-night', password: 'typed' });
  });

  it('offers no automatic server where none is built in', () => {
    const fake = fakeApp(app({ about: { ...app().about, servers: [] } }));
    expect(draftOf(createFace(fake.client).state.getState()).server).toBe('host');
  });

  it('closes one notice and not its like', () => {
    const { actions, state } = createFace(fakeApp().client);
    actions.closeNotice(noticeId({ code: 'failed-guess', at: 1 }));
    const closed = state.getState().closedNotices;
    expect([1, 2].map((at) => closed.has(noticeId({ code: 'failed-guess', at })))).toEqual([true, false]);
  });
});

describe('the samples', () => {
  it('keep the last minute, and a gap where there was no path', () => {
    let samples = addSamples(new Map(), [member(1)], 0);
    for (let second = 1; second < 100; second++) {
      const peer = second === 99 ? member(1, { path: null }) : member(1, { path: path('direct', second) });
      samples = addSamples(samples, [peer], second * 1_000);
    }
    const rtts = samples.get(member(1).publicKey)?.rtts ?? [];
    expect(rtts).toHaveLength(SAMPLES_KEPT);
    expect(rtts.slice(-2)).toEqual([98, null]);
  });

  it('do not grow with a burst of snapshots', () => {
    let samples = addSamples(new Map(), [member(1)], 0);
    for (let ms = 1; ms < 500; ms++) samples = addSamples(samples, [member(1)], ms);
    expect(samples.get(member(1).publicKey)?.rtts).toHaveLength(1);
  });

  it('forget who left', () => {
    const samples = addSamples(addSamples(new Map(), [member(1), member(2)], 0), [member(2)], 1_000);
    expect([...samples.keys()]).toEqual([member(2).publicKey]);
  });

  it('collect the odds of one plan, and begin anew with the next', () => {
    const at = (probesSent: number, odds: number) =>
      relayed(1, 'connecting', {
        punch: { strategy: 'birthday', phase: 'probing', probesSent, probesMax: 100, mappings: 1, odds },
      });
    let samples = addSamples(new Map(), [at(10, 0.1)], 0);
    samples = addSamples(samples, [at(20, 0.2)], 10);
    const points = () => samples.get(member(1).publicKey)?.odds.map(({ probes }) => probes);
    expect(points()).toEqual([10, 20]);
    samples = addSamples(samples, [at(5, 0.05)], 20);
    expect(points()).toEqual([5]);
    samples = addSamples(samples, [member(1)], 30);
    expect(points()).toEqual([]);
  });
});

describe('the members', () => {
  it('stand in one order, whatever their figures', () => {
    const room = mixedRoom();
    const moved = room.map((peer) => ({ ...peer, path: null, rxBytes: 1 })).toReversed();
    expect(inOrder(moved).map(({ nick }) => nick)).toEqual(inOrder(room).map(({ nick }) => nick));
    expect(inOrder(room).at(-1)?.blocked).toBe(true);
  });

  it('are counted by how they are connected', () => {
    expect(tally(mixedRoom())).toEqual({ direct: 3, relayed: 3, connecting: 1, lost: 1, blocked: 1 });
  });

  it('are blocked before anything else', () => {
    expect(standing(member(1, { blocked: true }))).toBe('blocked');
  });
});

describe('what is announced', () => {
  const room = (...peers: ReturnType<typeof member>[]) => joined(peers).snapshot;

  it('is who comes, goes, and becomes direct, never a figure', () => {
    expect(announcements(room(), room(member(1)))).toEqual([{ kind: 'member-joined', nick: 'bob' }]);
    expect(announcements(room(member(1)), room())).toEqual([{ kind: 'member-left', nick: 'bob' }]);
    expect(announcements(room(relayed(1, 'connecting')), room(member(1)))).toEqual([
      { kind: 'member-direct', nick: 'bob' },
    ]);
    expect(announcements(room(member(1)), room(member(1, { path: path('direct', 99), rxBytes: 1 })))).toEqual([]);
    expect(announcements(room(member(1)), room(member(1, { path: path('ipv6', 9) })))).toEqual([]);
  });

  it('is not a whole room at once', () => {
    expect(announcements(room(), room(member(1), member(2), member(3), member(4)))).toEqual([]);
  });

  it('is that the room reconnects', () => {
    expect(announcements(room(), { ...room(), state: 'reconnecting' })).toEqual([{ kind: 'reconnecting' }]);
  });
});
