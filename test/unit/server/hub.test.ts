import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SERVER_LIMITS } from '../../../protocol/limits.ts';
import { encodeFrame, FRAME_RELAY, FRAME_SIGNAL, type ServerMessage } from '../../../protocol/server.ts';
import { createCounters } from '../../../server/counters.ts';
import { Hub, type Link, type Member } from '../../../server/hub.ts';

class RecordedLink implements Link {
  readonly messages: ServerMessage[] = [];
  readonly frames: Buffer[] = [];
  gone = false;
  onControl: () => void = () => undefined;

  control(json: string): void {
    this.messages.push(JSON.parse(json));
    this.onControl();
  }
  signal(frame: Buffer): void {
    this.frames.push(frame);
  }
  relay(frame: Buffer): void {
    this.frames.push(frame);
  }
  replaced(): void {
    this.gone = true;
  }
}

interface Resident {
  member: Member;
  link: RecordedLink;
}

function arrive(hub: Hub, topic: string, changes: { session?: string; resume?: string } = {}): Resident {
  const link = new RecordedLink();
  const member = hub.join({ topic, session: '00'.repeat(16), source: 'here', link, ...changes });
  if (member === null) throw new Error('the room is full');
  return { member, link };
}

const frame = (type: typeof FRAME_SIGNAL | typeof FRAME_RELAY, to: string) =>
  Buffer.from(encodeFrame({ type, member: to, payload: new Uint8Array(8) }));

describe('a room', () => {
  test('where somebody is too slow to hear of a resumed member tells that member nothing before its welcome', () => {
    const hub = new Hub(SERVER_LIMITS, createCounters());
    const slow = arrive(hub, 'room');
    const old = arrive(hub, 'room');
    slow.link.onControl = () => hub.leave(slow.member);
    const again = arrive(hub, 'room', { session: '11'.repeat(16), resume: old.member.resume });
    expect(again.member.id).toBe(old.member.id);
    expect(again.link.messages).toEqual([]);
    expect(hub.companions(again.member)).toEqual([]);
    expect(old.link.gone).toBe(true);
  });

  test('where everybody is too slow to hear of a newcomer still takes the newcomer', () => {
    const hub = new Hub(SERVER_LIMITS, createCounters());
    const slow = arrive(hub, 'room');
    slow.link.onControl = () => hub.leave(slow.member);
    const late = arrive(hub, 'room');
    expect([hub.rooms, hub.members, late.link.messages]).toEqual([1, 1, []]);
    const next = arrive(hub, 'room');
    expect(hub.companions(next.member).map(({ member }) => member)).toEqual([late.member.id]);
  });
});

/** One thing that can happen among six places in two rooms. */
const steps = fc.oneof(
  fc.record({ do: fc.constantFrom('join', 'leave', 'resume'), at: fc.nat(5) }),
  fc.record({ do: fc.constantFrom('allow', 'deny', 'relay', 'signal'), at: fc.nat(5), to: fc.nat(5) }),
);

describe('whatever happens', () => {
  test('a relay frame arrives if and only if its receiver, in the same room, has allowed its sender', () => {
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 60 }), (script) => {
        const hub = new Hub(SERVER_LIMITS, createCounters());
        const places = new Map<number, Resident>();
        /** `receiver>sender`, kept by the test alone. */
        const allowed = new Set<string>();
        for (const step of script) {
          const here = places.get(step.at);
          const topic = `room ${step.at % 2}`;
          if (!('to' in step)) {
            if (step.do === 'join' && !here) places.set(step.at, arrive(hub, topic));
            if (step.do === 'resume' && here) places.set(step.at, arrive(hub, topic, { resume: here.member.resume }));
            if (step.do === 'leave' && here) {
              hub.leave(here.member);
              places.delete(step.at);
              for (const pair of allowed) if (pair.includes(here.member.id)) allowed.delete(pair);
            }
            continue;
          }
          const there = places.get(step.to);
          if (!here || !there) continue;
          const together = here !== there && step.at % 2 === step.to % 2;
          if (step.do === 'allow') {
            hub.allow(here.member, there.member.id);
            if (together) allowed.add(`${here.member.id}>${there.member.id}`);
          } else if (step.do === 'deny') {
            hub.deny(here.member, there.member.id);
            allowed.delete(`${here.member.id}>${there.member.id}`);
          } else {
            const before = there.link.frames.length;
            hub.route(here.member, frame(step.do === 'relay' ? FRAME_RELAY : FRAME_SIGNAL, there.member.id), 0);
            const arrived = there.link.frames.length > before;
            if (step.do === 'relay') expect(arrived).toBe(allowed.has(`${there.member.id}>${here.member.id}`));
            else if (!together) expect(arrived).toBe(false);
            if (arrived) expect(there.link.frames.at(-1)?.toString('hex', 1, 9)).toBe(here.member.id);
          }
        }
        expect(hub.members).toBe(places.size);
        expect(hub.rooms).toBe(new Set([...places.keys()].map((place) => place % 2)).size);
      }),
      { numRuns: 300 },
    );
  });
});
