import { describe, expect, it } from 'vitest';
import type { RoomAction } from '../../../engine/core/room/contract.ts';
import { HOP_MS, type Node, together, World } from './harness.ts';

describe('joining a room', () => {
  it('lets two with the same password prove each other', () => {
    const world = new World();
    const ann = world.node({ name: 'ann' }).start();
    world.run(500);
    const bob = world.node({ name: 'bob' }).start();
    world.until(() => together(ann, bob), 1_000);
    expect(ann.count('peer-proven')).toBe(1);
    expect(bob.core.view().state).toBe('joined');
    expect(ann.routes.get(bob.key)).toHaveLength(1);
    expect(bob.core.view().members.map((member) => member.nick)).toEqual(['ann']);
    expect(ann.core.view().ipv4).toBe(bob.addresses.get(ann.key));
    expect(bob.core.view().ipv4).toBe(ann.addresses.get(bob.key));
    expect(world.servers[0]?.limited).toBe(0);
  });

  it('proves and addresses both within four trips after the welcome', () => {
    const world = new World();
    const ann = world.node({ name: 'ann' }).start();
    world.run(500);
    const bob = world.node({ name: 'bob' }).start();
    world.until(() => bob.connections.get(0)?.id !== '');
    const welcome = world.now + HOP_MS;
    world.until(() => together(ann, bob) && ann.core.view().ipv4 !== null && bob.core.view().ipv4 !== null);
    expect(world.now - welcome).toBeLessThanOrEqual(4 * 2 * HOP_MS + 20);
  });

  it('installs the responder before the proof leaves, and begins the tunnel behind it', () => {
    const world = new World();
    const ann = world.node({ name: 'ann' }).start();
    const bob = world.node({ name: 'bob' }).start();
    world.until(() => together(ann, bob));
    const beginning = (node: Node) => {
      const at = (type: RoomAction['type']) => node.actions.findIndex(({ action }) => action.type === type);
      const [up, begun, proven] = (['peer-up', 'tunnel-packet', 'peer-proven'] as const).map(at);
      const action = node.actions[up ?? -1]?.action;
      return { initiate: action?.type === 'peer-up' && action.initiate, up, begun, proven };
    };
    const [responder, initiator] = [beginning(ann), beginning(bob)].toSorted(
      (a, b) => Number(a.initiate) - Number(b.initiate),
    );
    expect([responder?.initiate, initiator?.initiate]).toEqual([false, true]);
    expect(initiator?.begun).toBe(-1);
    expect(responder?.begun).toBeGreaterThan(responder?.up ?? Number.NaN);
    const limited = world.servers.map((server) => server.limited);
    expect(limited).toEqual([0]);
  });

  it('has the responder begin the tunnel where the initiator still holds one of a process that is gone', () => {
    const world = new World();
    const ann = world.node({ name: 'ann' }).start();
    const first = world.node({ name: 'bob', seed: 'first' }).start();
    world.until(() => together(ann, first));
    first.kill();
    for (let n = 0; n < 2; n++) {
      const again = world.node({ name: 'bob', seed: `again ${n}` }).start();
      const known = ann.actions.length;
      world.until(() => together(ann, again));
      const ups = [...ann.actions.slice(known), ...again.actions].flatMap(({ action }) =>
        action.type === 'peer-up' ? [action.initiate] : [],
      );
      expect(ups.toSorted()).toEqual([false, true]);
      again.kill();
      world.run(15_000);
    }
  });

  it('is joined, and has an address, when nobody else is there', () => {
    const world = new World();
    const ann = world.node({ name: 'ann' }).start();
    world.until(() => ann.core.view().state === 'joined', 1_000);
    expect(ann.core.view().ipv4).toMatch(/^10\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./);
    expect(ann.count('self-address')).toBe(1);
    world.run(30_000);
    expect(ann.fatal()).toBeNull();
  });

  it('lets a third join, and a whole party after that', () => {
    const world = new World();
    const nodes = ['ann', 'bob', 'cas'].map((name) => world.node({ name }).start());
    world.until(() => together(...nodes), 3_000);
    const party = Array.from({ length: 9 }, (_, i) => world.node({ name: `guest${i}` }).start());
    world.until(() => together(...nodes, ...party), 20_000, 50);
    const addresses = [...nodes, ...party].map((node) => node.core.view().ipv4);
    expect(new Set(addresses).size).toBe(12);
    expect(new Set([...nodes, ...party].map((node) => node.memory?.roomTag)).size).toBe(1);
  });

  it('lets a LAN party in from behind one address', () => {
    const world = new World();
    const host = world.node({ name: 'host' }).start();
    world.run(1_000);
    const party = Array.from({ length: 8 }, (_, i) => world.node({ name: `p${i}`, source: 'one-nat' }).start());
    world.until(() => together(host, ...party), 20_000, 50);
    expect(host.notices()).not.toContain('failed-guess');
  });

  it('comes back to a saved room without typing the password', () => {
    const world = new World();
    const ann = world.node({ name: 'ann' }).start();
    const bob = world.node({ name: 'bob' }).start();
    world.until(() => together(ann, bob));
    const address = bob.core.view().ipv4;
    bob.kill();
    world.run(1_000);
    const again = world.node({ name: 'bob', password: null, memory: bob.memory, seed: 'bob 2' }).start();
    // The address is known before the first server answers.
    expect(again.core.view().ipv4).toBe(address);
    world.until(() => together(ann, again));
    expect(ann.addresses.get(again.key)).toBe(address);
  });

  it('carries messages between proven members, and nothing from others', () => {
    const world = new World();
    const ann = world.node({ name: 'ann' }).start();
    const bob = world.node({ name: 'bob' }).start();
    world.until(() => together(ann, bob));
    ann.event({ type: 'send', peer: bob.key, message: { t: 'candidates-ack', revision: 7 } });
    world.run(100);
    expect(bob.messages()).toEqual([
      { type: 'peer-message', peer: ann.key, message: { t: 'candidates-ack', revision: 7 } },
    ]);
  });

  it('says bye, and is gone at once', () => {
    const world = new World();
    const ann = world.node({ name: 'ann' }).start();
    const bob = world.node({ name: 'bob' }).start();
    world.until(() => together(ann, bob));
    bob.event({ type: 'stop' });
    world.run(200);
    expect(ann.downs()).toEqual(['bye']);
    expect(ann.core.view().members).toEqual([]);
    expect(bob.core.view().state).toBe('off');
  });

  it('ends with no-server when none answers in ten seconds', () => {
    const world = new World(2);
    for (const server of world.servers) server.die();
    const ann = world.node({ name: 'ann' }).start();
    world.run(9_900);
    expect(ann.fatal()).toBeNull();
    world.run(1_200);
    expect(ann.fatal()).toBe('no-server');
  });

  it.each([
    ['an empty name', { room: '  ' }],
    ['an empty password', { password: '' }],
    ['a password with a control', { password: 'a\u0007b' }],
    ['a nickname of nothing', { name: '\u200b' }],
    ['no password and nothing remembered', { password: null }],
    ['an address outside of the pool', { ipv4: '192.168.1.1' }],
    ['the network address', { ipv4: '10.64.16.0' }],
  ])('refuses %s', (_what, options) => {
    expect(() => new World().node(options)).toThrow(expect.objectContaining({ code: 'invalid' }));
  });
});
