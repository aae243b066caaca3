import { describe, expect, it } from 'vitest';
import { HOP_MS, type Node, World } from './harness.ts';

/** Both have proved each other, with the same preshared key and addresses of each other. */
function together(...nodes: Node[]): boolean {
  return nodes.every((a) =>
    nodes.every((b) => a === b || (a.proved(b) && a.psk.get(b.key) === b.psk.get(a.key) && a.addresses.get(b.key))),
  );
}

describe('joining a room', () => {
  it('lets two with the same password prove each other', () => {
    const world = new World();
    const ann = world.node({ name: 'ann' }).start();
    world.run(500);
    expect(ann.core.view().state).toBe('joined');
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
    world.until(() => bob.actions.some(({ action }) => action.type === 'server-send'));
    const welcome = world.now + 2 * HOP_MS;
    world.until(() => together(ann, bob) && ann.core.view().ipv4 !== null && bob.core.view().ipv4 !== null);
    expect(world.now - welcome).toBeLessThanOrEqual(4 * 2 * HOP_MS + 20);
  });
});
