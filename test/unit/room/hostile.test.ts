import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RoomEvent } from '../../../engine/core/room/contract.ts';
import { createRoom } from '../../../engine/core/room/room.ts';
import {
  decodeReply,
  decodeStart,
  encodeBegin,
  encodeReply,
  encodeStart,
  INITIATION_BYTES,
  KIND_BEGIN,
  KIND_CONFIRM,
  KIND_PROOF,
  KIND_REPLY,
  KIND_SIGNAL,
  KIND_START,
} from '../../../engine/core/room/wire.ts';
import { peerMessage } from '../../../protocol/peer.ts';
import type { ServerMessage } from '../../../protocol/server.ts';
import { seeded, together, World } from './harness.ts';

function flip(bytes: Uint8Array, at: number): Uint8Array {
  const out = Uint8Array.from(bytes);
  const index = at < 0 ? out.length + at : at;
  out[index] = (out[index] ?? 0) ^ 1;
  return out;
}

describe('a server in the middle', () => {
  it.each([
    ['the share of message 1', KIND_START, 5],
    ['the versions offered in message 1', KIND_START, 35],
    ['the randomness of message 1', KIND_START, 50],
    ['the share of message 2', KIND_REPLY, 5],
    ['the sealed key of message 2', KIND_REPLY, -1],
    ['message 3', KIND_PROOF, 20],
  ])('gets no peer up by changing %s, and honest frames do once it stops', (_what, kind, at) => {
    const world = new World();
    const ann = world.node({ name: 'ann', create: true }).start();
    world.run(500);
    const bob = world.node({ name: 'bob', create: true }).start();
    let changed = 0;
    world.tamper = ({ payload }) => {
      if (payload[0] !== kind) return payload;
      changed += 1;
      return flip(payload, at);
    };
    world.run(5_000);
    expect(changed).toBeGreaterThan(0);
    expect(ann.count('peer-proven') + bob.count('peer-proven')).toBe(0);
    expect(ann.core.view().members).toEqual([]);
    expect(ann.memory?.pins ?? []).toEqual([]);
    world.tamper = ({ payload }) => payload;
    world.until(() => together(ann, bob), 120_000, 50);
  });

  it('begins no tunnel for a member that has not proved itself, nor with bytes that begin none', () => {
    const world = new World();
    const ann = world.node({ name: 'ann', create: true }).start();
    const eve = world.node({ name: 'eve', create: true, password: 'guess' }).start();
    const bob = world.node({ name: 'bob', create: true }).start();
    world.until(() => together(ann, bob));
    const [server] = world.servers;
    const before = ann.count('tunnel-packet');
    server?.forge(eve, ann, encodeBegin(new Uint8Array(INITIATION_BYTES)));
    server?.forge(bob, ann, encodeBegin(new Uint8Array(INITIATION_BYTES - 1)));
    server?.forge(bob, ann, Uint8Array.of(KIND_BEGIN));
    world.run(100);
    expect(ann.count('tunnel-packet')).toBe(before);
    server?.forge(bob, ann, encodeBegin(new Uint8Array(INITIATION_BYTES)));
    world.run(100);
    expect(ann.count('tunnel-packet')).toBe(before + 1);
  });

  it('takes down what it let half through: message 4 never verifies', () => {
    const world = new World();
    const nodes = ['ann', 'bob'].map((name) => world.node({ name, create: true }).start());
    world.tamper = ({ payload }) => (payload[0] === KIND_CONFIRM ? flip(payload, 3) : payload);
    world.run(2_000);
    const [down] = nodes.filter((node) => node.downs().includes('unproven'));
    expect(down).toBeDefined();
    expect(down?.core.view().members).toEqual([]);
    expect(down?.psk.size).toBe(0);
    world.tamper = ({ payload }) => payload;
    world.until(() => together(...nodes), 120_000, 50);
  });

  it('cannot put itself between two members with shares of its own', () => {
    const world = new World();
    const nodes = ['ann', 'bob'].map((name) => world.node({ name, create: true }).start());
    // A valid group element that the server chose, in place of each member's.
    const own = Uint8Array.from(Buffer.from('2c3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c', 'hex'));
    world.tamper = ({ payload }) => {
      const start = decodeStart(payload);
      if (start !== null) return encodeStart({ ...start, share: own });
      const reply = decodeReply(payload);
      return reply === null ? payload : encodeReply({ ...reply, share: own });
    };
    world.run(30_000);
    for (const node of nodes) expect(node.count('peer-up')).toBe(0);
  });

  it('gets nothing for the identity, for no element, or for a share that comes back', () => {
    const shares = [new Uint8Array(32), new Uint8Array(32).fill(255), null];
    for (const share of shares) {
      const world = new World();
      const nodes = ['ann', 'bob'].map((name) => world.node({ name, create: true }).start());
      let first: Uint8Array | null = null;
      world.tamper = ({ payload }) => {
        const start = decodeStart(payload);
        if (start !== null) {
          first = start.share;
          return payload;
        }
        const reply = decodeReply(payload);
        return reply === null ? payload : encodeReply({ ...reply, share: share ?? first ?? new Uint8Array(32) });
      };
      world.run(8_000);
      for (const node of nodes) expect(node.count('peer-up')).toBe(0);
      expect(nodes.some((node) => node.notices().includes('failed-guess') || node.notices().length > 0)).toBe(true);
    }
  });

  it('reflects a member to itself in vain', () => {
    const world = new World();
    const ann = world.node({ name: 'ann' }).start();
    world.run(500);
    const connect = ann.actions.find(({ action }) => action.type === 'connect')?.action;
    const session = connect?.type === 'connect' ? connect.hello.session : '';
    ann.event({
      type: 'server-message',
      server: 0,
      message: { t: 'joined', member: 'ff'.repeat(8), session, source: 'x' },
    });
    world.run(15_000);
    expect(ann.count('crypto')).toBe(1);
  });

  it('cannot repeat a sealed signal', () => {
    const world = new World();
    const ann = world.node({ name: 'ann' }).start();
    const bob = world.node({ name: 'bob' }).start();
    world.until(() => together(ann, bob));
    ann.event({ type: 'send', peer: bob.key, message: { t: 'candidates-ack', revision: 3 } });
    world.run(100);
    const sent = world.frames.filter((frame) => frame.from === ann && frame.payload[0] === KIND_SIGNAL).at(-1);
    for (let i = 0; i < 3; i++) world.servers[0]?.forge(ann, bob, sent?.payload ?? new Uint8Array());
    world.servers[0]?.forge(bob, ann, sent?.payload ?? new Uint8Array());
    world.run(100);
    expect(bob.messages()).toHaveLength(1);
    expect(ann.messages()).toHaveLength(0);
  });
});

describe('hostile bytes', () => {
  const world = new World();
  const ann = world.node({ name: 'ann' }).start();
  const bob = world.node({ name: 'bob' }).start();
  world.until(() => together(ann, bob));

  it('never throw, and never make a peer', () => {
    const kind = fc.integer({ min: 0, max: 12 });
    const frame = fc.tuple(kind, fc.uint8Array({ maxLength: 520 }));
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 6 }), fc.boolean(), (frames, tunnel) => {
        for (const [first, rest] of frames) {
          const payload = Uint8Array.of(first, ...rest);
          if (tunnel) ann.event({ type: 'tunnel-frame', peer: bob.key, payload });
          else world.servers[0]?.forge(bob, ann, payload);
        }
        world.run(50);
        expect(ann.core.view().members).toHaveLength(1);
        expect(ann.ups).toHaveLength(1);
      }),
      { numRuns: 150 },
    );
  });

  it('changed in one place never pass for a handshake message', () => {
    const recorded = world.frames.filter((frame) => (frame.payload[0] ?? 9) <= KIND_CONFIRM).slice(0, 4);
    fc.assert(
      fc.property(fc.nat(3), fc.nat(600), (which, at) => {
        const frame = recorded[which % recorded.length];
        if (frame === undefined) return;
        world.servers[0]?.forge(frame.from, frame.to, flip(frame.payload, at % frame.payload.length));
        world.run(20);
        expect(frame.to.ups).toHaveLength(1);
      }),
      { numRuns: 100 },
    );
  });

  it('from a member that knows the password never throw', () => {
    const text = fc.string({ maxLength: 40 });
    const message = fc.record({
      t: fc.constantFrom('profile', 'claim-answer', 'candidates', 'candidates-ack', 'bogus'),
      nick: fc.oneof(text, fc.string({ unit: 'grapheme', maxLength: 64 })),
      host: fc.integer({ min: -5, max: 5_000 }),
      accepted: fc.boolean(),
      by: fc.constant(null),
      revision: fc.nat(),
      candidates: fc.constant([]),
      nat: fc.constant(null),
      claim: fc.oneof(
        fc.constant(null),
        fc.record({ key: text, host: fc.nat(5_000), attempt: fc.nat(9), held: fc.boolean() }),
      ),
      prefix: fc.record({ epoch: fc.nat(3), index: fc.nat(70) }),
      claims: fc.array(
        fc.record({
          key: fc.base64String({ minLength: 44, maxLength: 44 }),
          host: fc.nat(5_000),
          attempt: fc.nat(9),
          held: fc.boolean(),
        }),
        { maxLength: 4 },
      ),
      roomTag: fc.oneof(fc.constant(null), text),
    });
    fc.assert(
      fc.property(message, (any) => {
        const parsed = peerMessage.safeParse(any);
        if (parsed.success) bob.event({ type: 'send', peer: ann.key, message: parsed.data });
        world.run(40);
        expect(ann.core.view().members[0]?.ipv6).toMatch(/^fd/);
      }),
      { numRuns: 200 },
    );
  });

  it('in any event of any server never throw', () => {
    const member = fc.record({ member: hex(8), session: hex(16), source: fc.string({ minLength: 1, maxLength: 8 }) });
    const members = fc.array(member, { maxLength: 5 });
    const message: fc.Arbitrary<ServerMessage> = fc.oneof(
      member.map((told) => ({ t: 'joined' as const, ...told })),
      hex(8).map((id) => ({ t: 'left' as const, member: id })),
      fc.record({ member: hex(8), members, version: fc.integer({ min: 0, max: 2 }) }).map((told) => ({
        t: 'welcome' as const,
        ...told,
        observed: { ip: '', port: 1 },
        stun: [],
        limits: { frameBytes: 1, relayPayloadBytes: 1, signalsPerSecond: 1, relayBytesPerSecond: 1 },
        resume: '00'.repeat(16),
      })),
      fc.constant({ t: 'error' as const, code: 'too-slow' as const, retryAfterMs: 5 }),
      fc.constant({ t: 'going-away' as const, retryAfterMs: 1e9 }),
    );
    const event: fc.Arbitrary<RoomEvent> = fc.oneof(
      fc.nat(2).map((server) => ({ type: 'server-open' as const, server })),
      fc.nat(2).map((server) => ({ type: 'server-closed' as const, server, code: 'lost' })),
      fc.constant({ type: 'tick' as const }),
      fc.tuple(hex(8), fc.uint8Array({ maxLength: 200 })).map(([id, payload]) => ({
        type: 'server-frame' as const,
        server: 0,
        member: id,
        payload,
      })),
      fc
        .tuple(fc.nat(2), message)
        .map(([server, told]) => ({ type: 'server-message' as const, server, message: told })),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        const core = createRoom({ ...OPTIONS, random: seeded('fuzz') });
        core.handle(0, { type: 'start' });
        core.handle(0, { type: 'crypto', job: 1, result: { kind: 'scrypt', key: new Uint8Array(32) } });
        for (const [i, one] of events.entries()) core.handle(i * 700, one);
        expect(core.view().members).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });
});

const OPTIONS = {
  name: 'den',
  password: 'secret',
  nick: 'ann',
  machineKey: seeded('machine')(32),
  servers: ['ws://a', 'ws://b'],
  create: false,
  memory: null,
  hostNetworks: [],
  ipv4: null,
};

function hex(bytes: number): fc.Arbitrary<string> {
  return fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((value) => Buffer.from(value).toString('hex'));
}
