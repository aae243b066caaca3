import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PeerEvent, Via } from '../../../engine/core/peer/contract.ts';
import { createPeer } from '../../../engine/core/peer/peer.ts';
import { UNKNOWN_NAT } from '../../../protocol/nat.ts';
import type { Candidate } from '../../../protocol/peer.ts';

const ip = fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom('192.168.1.2', '203.0.113.5', 'fe80::1%3', '::ffff:1.2.3.4'));
const port = fc.integer({ min: 1, max: 65_535 });
const remote = fc.record({ ip, port });
const via: fc.Arbitrary<Via> = fc.oneof(
  fc.constant<Via>('external'),
  fc.record({ socket: fc.integer({ min: 0, max: 1 }), remote }),
);
const kind = fc.constantFrom<Candidate['kind']>('lan', 'ipv6', 'reflexive', 'static', 'mapped', 'peer-reflexive');
const candidates = fc.array(fc.record({ kind, ip, port }), { maxLength: 32 });
const seq = fc.integer({ min: 1, max: 400 });
const nat = fc.constant(UNKNOWN_NAT);
/** `at` is filled in when the event happens. */
const at = fc.constant(0);

const event: fc.Arbitrary<PeerEvent> = fc.oneof(
  fc.record({ type: fc.constant('relay' as const), up: fc.boolean(), host: fc.constantFrom('a', 'b') }),
  fc.record({ type: fc.constant('local' as const), candidates, nat }),
  fc.record({
    type: fc.constant('message' as const),
    message: fc.oneof(
      fc.record({ t: fc.constant('candidates' as const), revision: fc.nat(50), candidates, nat: fc.constant(null) }),
      fc.record({ t: fc.constant('candidates-ack' as const), revision: fc.nat(50) }),
      fc.record({ t: fc.constant('bye' as const) }),
    ),
  }),
  fc.record({ type: fc.constant('ping' as const), via, seq, at }),
  fc.record({ type: fc.constant('handshake' as const), at }),
  fc.record({ type: fc.constant('traffic' as const), txPackets: fc.nat(9), rxPackets: fc.nat(9), at }),
  fc.constantFrom<PeerEvent>({ type: 'network-changed' }, { type: 'tick' }),
);
/** An event, the time until it, and which of our pings are answered meanwhile. */
const step = fc.record({ event, afterMs: fc.integer({ min: 0, max: 3_000 }), answers: fc.integer({ min: 0, max: 3 }) });

describe('whatever happens to a peer', () => {
  it('it wakes in the future, numbers its pings upwards, and tells the device only changes', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (steps, relayOnly) => {
        const core = createPeer({ lower: true, relayOnly, families: [4, 6] });
        let now = 0;
        let wakeAt = Number.POSITIVE_INFINITY;
        let lastSeq = 0;
        let told = '';
        const answerable: { seq: number; via: Via; sentAt: number }[] = [];
        const handle = (fed: PeerEvent) => {
          wakeAt = Number.POSITIVE_INFINITY;
          for (const action of core.handle(now, fed)) {
            if (action.type === 'wake') {
              expect(action.at).toBeGreaterThan(now);
              wakeAt = action.at;
            } else if (action.type === 'ping') {
              expect(action.seq).toBeGreaterThan(lastSeq);
              if (relayOnly) expect(action.via).toBe('external');
              lastSeq = action.seq;
              answerable.push({ seq: action.seq, via: action.via, sentAt: now });
            } else if (action.type === 'path') {
              const text = JSON.stringify([action.path, action.duplicate]);
              expect(text).not.toBe(told);
              told = text;
            }
          }
          core.view(now);
        };
        for (const { event: next, afterMs, answers } of steps) {
          const until = now + afterMs;
          for (let turns = 0; wakeAt <= until; turns++) {
            expect(turns).toBeLessThan(2_000);
            now = wakeAt;
            handle({ type: 'tick' });
          }
          now = until;
          for (const ping of answerable.splice(0, answers)) {
            const { sentAt, ...rest } = ping;
            handle({ type: 'pong', ...rest, observed: null, rttMs: now - sentAt, at: now });
          }
          handle('at' in next ? { ...next, at: now } : next);
        }
      }),
      { numRuns: 150 },
    );
  });
});
