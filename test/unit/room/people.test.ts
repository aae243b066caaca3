import { describe, expect, it } from 'vitest';
import { toBase64 } from '../../../engine/core/crypto/bytes.ts';
import { skeleton } from '../../../engine/core/crypto/skeleton.ts';
import { cleanNick, Nicks } from '../../../engine/core/room/nicks.ts';
import { KIND_SIGNAL } from '../../../engine/core/room/wire.ts';
import { type Node, together, World } from './harness.ts';

const nickOf = (viewer: Node, of: Node) => viewer.core.view().members.find((member) => member.key === of.key)?.nick;
const noProfiles: World['tamper'] = ({ payload }) => (payload[0] === KIND_SIGNAL ? null : payload);
const introduced = (viewer: Node) => viewer.core.view().members[0]?.introduced;

describe('nicknames', () => {
  it('belong to whom had them first: the second is shown with its key', () => {
    const world = new World();
    const ann = world.node({ name: 'ann' }).start();
    const bob = world.node({ name: 'bob' }).start();
    world.until(() => together(ann, bob));
    const second = world.node({ name: 'bob', machine: 'another' }).start();
    world.until(() => together(ann, bob, second));
    expect(nickOf(ann, bob)).toBe('bob');
    expect(nickOf(ann, second)).toMatch(/^bob-[0-9a-f]{4}$/);
    expect(nickOf(bob, second)).toMatch(/^bob-[0-9a-f]{4}$/);
    expect(ann.notices()).toContain('nick-taken');
  });

  it('come before their holder is shown, unless they are held back', () => {
    const world = new World();
    world.tamper = noProfiles;
    const nodes = [world.node({ name: 'ann' }), world.node({ name: 'bob' })].map((node) => node.start());
    const [ann, bob] = nodes as [Node, Node];
    world.until(() => ann.proved(bob) && bob.proved(ann));
    // The responder has it out of message 3.
    expect(nodes.map(introduced).toSorted()).toEqual([false, true]);
    world.run(2_000);
    expect(nodes.map(introduced)).toEqual([true, true]);
  });

  it('that are remembered are shown at once', () => {
    const world = new World();
    const ann = world.node({ name: 'ann' }).start();
    const bob = world.node({ name: 'bob' }).start();
    world.until(() => together(ann, bob));
    const memories = [ann.memory, bob.memory];
    for (const node of [ann, bob]) node.kill();
    world.tamper = noProfiles;
    const again = ['ann', 'bob'].map((name, i) =>
      world.node({ name, seed: `${name} again`, memory: memories[i] ?? null }).start(),
    );
    world.until(() => again.every((node) => node.core.view().members.some(({ proven }) => proven)));
    expect(again.map(introduced)).toEqual([true, true]);
  });

  it('that look alike clash too', () => {
    const world = new World();
    const ann = world.node({ name: 'Pascal' }).start();
    const cyrillic = world.node({ name: 'Раsсаl' }).start();
    world.until(() => together(ann, cyrillic));
    expect(nickOf(ann, cyrillic)).toMatch(/^Раsсаl-[0-9a-f]{4}$/);
  });

  it('are announced when a known one comes with a new key', () => {
    const world = new World();
    const ann = world.node({ name: 'ann' }).start();
    const bob = world.node({ name: 'bob' }).start();
    world.until(() => together(ann, bob));
    bob.event({ type: 'stop' });
    world.run(200);
    const other = world.node({ name: 'bob', machine: 'stolen name' }).start();
    world.until(() => together(ann, other));
    world.run(200);
    expect(ann.notices()).toContain('known-nick-new-key');
    expect(nickOf(ann, other)).toMatch(/^bob-/);
    const back = world.node({ name: 'bob', seed: 'b2' }).start();
    world.until(() => together(ann, other, back));
    world.run(200);
    expect(nickOf(ann, back)).toBe('bob');
  });

  it('lose what cannot be seen, and are cut at 64 bytes between letters', () => {
    expect(cleanNick('  a\u202e\u0000b \n c ')).toBe('ab c');
    expect(cleanNick('日'.repeat(30))).toBe('日'.repeat(21));
    expect(cleanNick('\u200b')).toBe('');
  });

  it('of nothing become one made of the key', () => {
    const key = toBase64(new Uint8Array(32).fill(0xab));
    const nicks = new Nicks(toBase64(new Uint8Array(32)), 'me', []);
    nicks.meet(key, '\u200b', []);
    expect(nicks.shown(key)).toBe('player-abab');
  });

  it.each([
    ['paypal', 'раураl'],
    ['Ann', 'ANN'],
    ['O0', 'oo'],
    ['will', 'wi1|'],
    ['modern', 'modem'],
    ['Zoë', 'zoe'],
    ['a_b', 'a b'],
  ])('%s looks like %s', (a, b) => {
    expect(skeleton(a)).toBe(skeleton(b));
  });

  it.each([
    ['ann', 'anna'],
    ['小明', '小红'],
    ['bob', 'rob'],
  ])('%s does not look like %s', (a, b) => {
    expect(skeleton(a)).not.toBe(skeleton(b));
  });
});

describe('blocking', () => {
  it('takes the peer, its key and its relay permission away at once, and lasts', () => {
    const world = new World();
    const ann = world.node({ name: 'ann' }).start();
    const bob = world.node({ name: 'bob' }).start();
    world.until(() => together(ann, bob));
    ann.event({ type: 'block', peer: bob.key, on: true });
    expect(ann.downs()).toEqual(['blocked']);
    expect(ann.psk.size).toBe(0);
    expect(ann.actions.some(({ action }) => action.type === 'server-send' && action.message.t === 'deny')).toBe(true);
    expect(ann.core.view().members).toEqual([
      expect.objectContaining({ key: bob.key, nick: 'bob', blocked: true, proven: false }),
    ]);
    bob.event({ type: 'send', peer: ann.key, message: { t: 'candidates-ack', revision: 1 } });
    bob.kill();
    const again = world.node({ name: 'bob', seed: 'b2' }).start();
    world.run(40_000);
    expect(ann.messages()).toEqual([]);
    expect(ann.proved(again)).toBe(false);
    expect(again.proved(ann)).toBe(false);
    expect(ann.memory?.blocked).toEqual([bob.key]);
    expect(ann.notices()).not.toContain('failed-guess');
  });

  it('ends when it is taken back', () => {
    const world = new World();
    const ann = world.node({ name: 'ann' }).start();
    const bob = world.node({ name: 'bob' }).start();
    world.until(() => together(ann, bob));
    ann.event({ type: 'block', peer: bob.key, on: true });
    world.run(15_000);
    const said = ann.actions.length;
    ann.event({ type: 'block', peer: bob.key, on: false });
    // Bob has gone on speaking: his handshake must not be counted among a stranger's frames.
    const message = { t: 'allow', member: expect.any(String) };
    expect(ann.actions.slice(said).map(({ action }) => action)).toContainEqual(
      expect.objectContaining({ type: 'server-send', message }),
    );
    world.until(() => together(ann, bob), 60_000, 50);
    expect(ann.core.view().members[0]?.blocked).toBe(false);
  });
});
