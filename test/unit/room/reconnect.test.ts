import { describe, expect, it } from 'vitest';
import type { RoomAction } from '../../../engine/core/room/contract.ts';
import { KIND_REPLY, KIND_RESUME, KIND_RESUMED, KIND_SIGNAL, KIND_START } from '../../../engine/core/room/wire.ts';
import { type Node, together, World, withTunnels } from './harness.ts';

function pair(world: World): [Node, Node] {
  const ann = world.node({ name: 'ann' }).start();
  const bob = world.node({ name: 'bob' }).start();
  world.until(() => together(ann, bob));
  return [ann, bob];
}

function routed(ann: Node, bob: Node): boolean {
  return [ann.routes.get(bob.key), bob.routes.get(ann.key)].every((routes) => routes?.length === 1);
}

/** Handshake messages of a kind since then. */
function kinds(world: World, since: number): number[] {
  return world.frames.filter((frame) => frame.at >= since).map((frame) => frame.payload[0] ?? 0);
}

function outage(world: World, ms: number): void {
  for (const server of world.servers) server.die();
  world.run(ms);
  for (const server of world.servers) server.revive();
}

describe('when the server dies and returns', () => {
  it('keeps the peers, tells that there is no route, and finds each other again without CPace', () => {
    const world = new World();
    const [ann, bob] = pair(world);
    const psk = ann.psk.get(bob.key);
    world.servers[0]?.die();
    world.run(100);
    expect(ann.core.view().state).toBe('reconnecting');
    expect(ann.routes.get(bob.key)).toEqual([]);
    expect(ann.proved(bob)).toBe(true);
    world.run(20_000);
    world.servers[0]?.revive();
    const since = world.now;
    world.until(() => (ann.routes.get(bob.key)?.length ?? 0) > 0 && (bob.routes.get(ann.key)?.length ?? 0) > 0);
    expect(ann.core.view().state).toBe('joined');
    expect(kinds(world, since)).toContain(KIND_RESUME);
    expect(kinds(world, since)).not.toContain(KIND_REPLY);
    expect(ann.psk.get(bob.key)).toBe(psk);
    expect(ann.ups.length + bob.ups.length).toBe(2);
    expect(ann.notices()).toEqual(expect.arrayContaining(['server-unreachable', 'server-back']));
    expect(world.servers[0]?.limited).toBe(0);
  });

  it('ratchets the root each time: ten outages, no CPace, one preshared key', () => {
    const world = new World();
    const [ann, bob] = pair(world);
    const since = world.now;
    for (let i = 0; i < 10; i++) {
      outage(world, 2_000);
      world.until(() => [ann, bob].every((node) => node.core.view().state === 'joined'), 60_000, 50);
      world.run(12_000);
    }
    expect(kinds(world, since)).not.toContain(KIND_REPLY);
    expect(ann.ups).toHaveLength(1);
    ann.event({ type: 'send', peer: bob.key, message: { t: 'candidates-ack', revision: 1 } });
    world.run(100);
    expect(bob.messages()).toHaveLength(1);
  });

  it('survives an outage in the middle of a reconnect', () => {
    const world = new World();
    const [ann, bob] = pair(world);
    for (let cut = 0; cut < 6; cut++) {
      let seen = 0;
      world.tamper = ({ payload }) => {
        const isResume = payload[0] === KIND_RESUME || payload[0] === KIND_RESUME + 1;
        if (isResume && seen++ === cut % 2) world.after(0, () => outage(world, 500));
        return isResume && cut % 3 === 0 && seen === (cut % 2) + 1 ? null : payload;
      };
      outage(world, 500);
      world.run(8_000);
      world.tamper = ({ payload }) => payload;
      world.until(
        () => [ann, bob].every((node) => node.routes.get(node === ann ? bob.key : ann.key)?.length),
        60_000,
        50,
      );
    }
    expect(ann.psk.get(bob.key)).toBe(bob.psk.get(ann.key));
    ann.event({ type: 'send', peer: bob.key, message: { t: 'candidates-ack', revision: 1 } });
    world.run(200);
    expect(bob.messages()).toHaveLength(1);
  });

  /** Behind message 1 there is one frame left of those that strangers may send. */
  function exhausted(world: World): void {
    world.tamper = ({ from, to, payload }) => {
      const [connection, id = ''] = [from.connections.get(0), to.connections.get(0)?.id];
      for (let i = 0; i < 2 && connection && payload[0] === KIND_START; i++) {
        world.servers[0]?.frame(connection, id, Uint8Array.of(KIND_SIGNAL));
      }
      return payload;
    };
  }

  it('knows each other on both sides, also where a pair has used up what strangers may send', () => {
    const world = new World();
    const [ann, bob] = pair(world);
    exhausted(world);
    outage(world, 2_000);
    const since = world.now;
    world.until(() => routed(ann, bob), 5_000);
    expect(kinds(world, since)).not.toContain(KIND_REPLY);
    expect(world.servers[0]?.limited).toBe(0);
  });

  it('knows each other on both sides at the next try, where the last message came late and one side goes on talking', () => {
    const world = new World();
    const [ann, bob] = pair(world);
    world.run(1_000);
    exhausted(world);
    const { tamper } = world;
    let late = false;
    world.tamper = (frame) => {
      const { from, to, payload } = frame;
      if (late || payload[0] !== KIND_RESUMED) return tamper(frame);
      late = true;
      world.after(11_000, () => world.servers[0]?.forge(from, to, payload));
      const message = { t: 'candidates-ack', revision: 1 } as const;
      for (let s = 1; s < 20; s++) world.after(s * 1_000, () => from.event({ type: 'send', peer: to.key, message }));
      return null;
    };
    outage(world, 2_000);
    world.until(() => late && routed(ann, bob), 20_000);
    expect([...ann.notices(), ...bob.notices()]).not.toContain('failed-guess');
    expect(world.servers[0]?.limited).toBe(0);
  });

  it('takes back the leave to relay where the last message of a reconnect does not come', () => {
    const world = new World();
    const nodes = pair(world);
    world.tamper = ({ payload }) => (payload[0] === KIND_RESUMED ? null : payload);
    outage(world, 2_000);
    const since = world.now;
    world.run(14_000);
    const sent = nodes.map((node) =>
      node.actions.flatMap(({ at, action }) =>
        at >= since && action.type === 'server-send' ? [action.message.t] : [],
      ),
    );
    expect(sent).toContainEqual(['allow', 'deny']);
  });

  it('comes back with rising pauses and jitter, thirty seconds at most', () => {
    const world = new World();
    const [ann] = pair(world);
    world.servers[0]?.die();
    world.run(180_000);
    const connects = ann.actions.filter(({ action }) => action.type === 'connect').map(({ at }) => at);
    const pauses = connects.slice(2).map((at, i) => at - (connects[i + 1] ?? 0));
    expect(pauses[0]).toBeLessThan(1_000);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(30_100);
    expect(Math.max(...pauses)).toBeGreaterThan(14_000);
    expect(pauses.length).toBeLessThan(16);
  });

  it('comes back within half a second when the network changes, however long it has been away', () => {
    const world = new World();
    const [ann] = pair(world);
    world.servers[0]?.die();
    world.run(120_000);
    const tried = ann.count('connect');
    world.until(() => ann.count('connect') > tried);
    world.run(100);
    world.servers[0]?.revive();
    ann.event({ type: 'network-changed' });
    expect(world.until(() => ann.core.view().state === 'joined')).toBeLessThan(600);
  });

  it('gives up in three seconds a connection that was under way when the network changed', () => {
    const world = new World();
    const [ann] = pair(world);
    outage(world, 100);
    world.until(() => ann.count('connect') === 2);
    // What it has sent leads nowhere.
    ann.connections.get(0)?.vanish();
    ann.event({ type: 'network-changed' });
    expect(world.until(() => ann.count('connect') === 3)).toBeLessThan(3_600);
    world.until(() => ann.core.view().state === 'joined');
  });

  it('leaves alone what stands when the network changes, and waits as long as a server asked', () => {
    const world = new World();
    const [ann, bob] = pair(world);
    ann.event({ type: 'network-changed' });
    world.run(10_000);
    expect(ann.count('connect')).toBe(1);
    bob.event({ type: 'server-message', server: 0, message: { t: 'going-away', retryAfterMs: 5_000 } });
    world.servers[0]?.die();
    world.servers[0]?.revive();
    bob.event({ type: 'network-changed' });
    expect(world.until(() => bob.count('connect') === 2)).toBeGreaterThanOrEqual(5_000);
  });

  it('does what going-away asks', () => {
    const world = new World();
    const [ann] = pair(world);
    ann.event({ type: 'server-message', server: 0, message: { t: 'going-away', retryAfterMs: 5_000 } });
    const at = world.now;
    world.servers[0]?.die();
    world.servers[0]?.revive();
    world.until(() => ann.actions.some((done) => done.action.type === 'connect' && done.at > at));
    expect(world.now - at).toBeGreaterThanOrEqual(5_000);
    expect(world.now - at).toBeLessThan(6_000);
  });
});

describe('who is gone while it comes back', () => {
  /** Ann and bob find each other again after an outage; `halfway` happens some milliseconds into that. */
  function returning(afterMs: number, halfway: (ann: Node, bob: Node) => void): { world: World; ann: Node; bob: Node } {
    const world = new World();
    const [ann, bob] = pair(world);
    withTunnels(ann, bob);
    world.tunnelMs = 1;
    outage(world, 2_000);
    world.until(() => [ann, bob].every(({ core }) => core.view().state === 'joined'));
    world.run(afterMs);
    halfway(ann, bob);
    world.run(1_000);
    return { world, ann, bob };
  }

  it('has an address when it starts again, whenever it said goodbye', () => {
    for (let run = 0; run < 80; run++) {
      const nodes = returning((run >> 1) * 3, (ann, bob) => [ann, bob][run % 2]?.event({ type: 'stop' }));
      const { world } = nodes;
      const [left, stays] = run % 2 === 0 ? [nodes.ann, nodes.bob] : [nodes.bob, nodes.ann];
      const again = world.node({ name: left.name, memory: left.memory, seed: 'again' }).start();
      world.until(() => together(stays, again) && again.core.view().ipv4 !== null);
      expect(stays.addresses.get(again.key)).toBe(again.core.view().ipv4);
    }
  });

  it('is nobody, whenever it is blocked', () => {
    for (let afterMs = 0; afterMs < 120; afterMs += 3) {
      const { ann, bob } = returning(afterMs, (blocking, { key }) => {
        blocking.event({ type: 'block', peer: key, on: true });
      });
      expect(ann.proved(bob)).toBe(false);
    }
  });
});

describe('without any server', () => {
  it('sends signals through the tunnel, long ones in parts', () => {
    const world = new World();
    const [ann, bob] = pair(world);
    withTunnels(ann, bob);
    world.servers[0]?.die();
    world.run(100);
    const candidates = Array.from({ length: 32 }, (_, i) => ({
      kind: 'reflexive' as const,
      ip: `2001:db8:1234:5678:9abc:def0:1234:${i.toString(16)}`,
      port: 40_000 + i,
    }));
    ann.event({ type: 'send', peer: bob.key, message: { t: 'candidates', revision: 1, candidates, nat: null } });
    ann.event({ type: 'send', peer: bob.key, message: { t: 'candidates-ack', revision: 2 } });
    world.run(100);
    expect(ann.count('tunnel-frame')).toBeGreaterThan(2);
    expect(bob.messages().map(({ message }) => (message as { t: string }).t)).toEqual(['candidates', 'candidates-ack']);
  });

  it('refuses a tunnel frame that comes twice', () => {
    const world = new World();
    const [ann, bob] = pair(world);
    world.servers[0]?.die();
    world.run(100);
    ann.event({ type: 'send', peer: bob.key, message: { t: 'candidates-ack', revision: 2 } });
    const frame = ann.actions
      .map(({ action }) => action)
      .find((action): action is RoomAction & { type: 'tunnel-frame' } => action.type === 'tunnel-frame');
    const payload = frame?.payload ?? new Uint8Array();
    for (let i = 0; i < 3; i++) bob.event({ type: 'tunnel-frame', peer: ann.key, payload });
    expect(bob.messages()).toHaveLength(1);
  });

  it('keeps a peer that lives in the tunnel, and lets it go ninety seconds after the last sign', () => {
    const world = new World();
    const [ann, bob] = pair(world);
    world.servers[0]?.die();
    for (let i = 0; i < 10; i++) {
      world.run(30_000);
      ann.event({ type: 'peer-alive', peer: bob.key });
    }
    expect(ann.proved(bob)).toBe(true);
    expect(bob.proved(ann)).toBe(false);
    world.run(91_000);
    expect(ann.downs()).toEqual(['gone']);
  });

  it('proves a member anew that one side has given up', () => {
    const world = new World();
    const [ann, bob] = pair(world);
    world.servers[0]?.die();
    for (let i = 0; i < 5; i++) {
      world.run(30_000);
      ann.event({ type: 'peer-alive', peer: bob.key });
    }
    expect(bob.downs()).toEqual(['gone']);
    world.servers[0]?.revive();
    world.until(() => together(ann, bob));
    expect(ann.psk.get(bob.key)).toBe(bob.psk.get(ann.key));
  });
});

describe('a restarted process', () => {
  it('runs CPace again and gets a new preshared key on both sides', () => {
    const world = new World();
    const [ann, bob] = pair(world);
    const psk = ann.psk.get(bob.key);
    bob.kill();
    const again = world.node({ name: 'bob', memory: bob.memory, seed: 'bob 2' }).start();
    world.until(() => together(ann, again));
    expect(ann.psk.get(again.key)).not.toBe(psk);
    expect(ann.ups).toEqual([again.key, again.key]);
    expect(ann.downs()).toEqual(['restarted']);
    expect(ann.count('peer-proven')).toBe(2);
  });

  it('takes the place of its half-open connection', () => {
    const world = new World();
    const [ann, bob] = pair(world);
    // The old process hangs: its session stays in the room.
    bob.event = () => {};
    const again = world.node({ name: 'bob', memory: bob.memory, seed: 'bob 2' }).start();
    world.until(() => ann.psk.get(again.key) === again.psk.get(ann.key));
    world.run(30_000);
    expect(ann.routes.get(again.key)).toHaveLength(1);
    expect(ann.core.view().members).toHaveLength(1);
    again.event({ type: 'send', peer: ann.key, message: { t: 'candidates-ack', revision: 1 } });
    world.run(100);
    expect(ann.messages()).toHaveLength(1);
  });
});

describe('with two servers', () => {
  it('proves once and finds the same member on the second by its root', () => {
    const world = new World(2);
    const ann = world.node({ name: 'ann' }).start();
    const bob = world.node({ name: 'bob' }).start();
    const both = () => [ann.routes.get(bob.key), bob.routes.get(ann.key)].every((routes) => routes?.length === 2);
    world.until(() => together(ann, bob) && both());
    expect(kinds(world, 0).filter((kind) => kind === KIND_REPLY)).toHaveLength(1);
    expect(ann.ups).toHaveLength(1);
    expect(ann.core.view().members).toHaveLength(1);
  });

  it('goes on by the second when the first dies', () => {
    const world = new World(2);
    const ann = world.node({ name: 'ann' }).start();
    const bob = world.node({ name: 'bob' }).start();
    world.until(() => ann.routes.get(bob.key)?.length === 2 && bob.routes.get(ann.key)?.length === 2);
    world.servers[0]?.die();
    world.run(100);
    expect(ann.core.view().state).toBe('joined');
    expect(ann.core.view().server).toBe('ws://server-1');
    expect(ann.routes.get(bob.key)).toEqual([expect.objectContaining({ server: 1 })]);
    ann.event({ type: 'send', peer: bob.key, message: { t: 'candidates-ack', revision: 1 } });
    world.run(100);
    expect(bob.messages()).toHaveLength(1);
  });

  it('speaks by the second when the first dies, also where nothing has come by it yet', () => {
    const world = new World(2);
    const nodes = [world.node({ name: 'ann' }).start(), world.node({ name: 'bob' }).start()] as const;
    const [ann, bob] = nodes;
    world.until(() => ann.routes.get(bob.key)?.length === 2 && bob.routes.get(ann.key)?.length === 2);
    world.run(15_000);
    world.servers[0]?.die();
    world.run(100);
    const message = { t: 'candidates-ack', revision: 1 } as const;
    ann.event({ type: 'send', peer: bob.key, message });
    bob.event({ type: 'send', peer: ann.key, message });
    world.run(100);
    expect(nodes.map((node) => node.messages().length)).toEqual([1, 1]);
  });

  it('brings together members who share only one of their servers', () => {
    const world = new World(3);
    const ann = world.node({ name: 'ann', servers: [0, 1] }).start();
    const bob = world.node({ name: 'bob', servers: [1, 2] }).start();
    world.until(() => together(ann, bob));
    expect(bob.routes.get(ann.key)).toEqual([expect.objectContaining({ server: 0 })]);
  });
});
