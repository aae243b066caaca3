import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Lifetime, type LifetimeAction, type LifetimeEvent } from '../../../engine/core/nat/lifetime.ts';
import { encodeBindingResponse } from '../../../engine/core/stun/binding.ts';
import { decodeStun } from '../../../engine/core/stun/message.ts';
import { readResponsePort } from '../../../engine/core/stun/response-port.ts';
import { chance } from '../peer/network.ts';

const SERVER = { ip: '198.51.100.2', port: 3_478 };
const MAIN = 0;
const EXTERNAL_IP = '203.0.113.1';
const LADDER = [10, 20, 30, 60, 120];

/** `full` knows RESPONSE-PORT, `ignores` answers to the port that asked, `refuses` says 420. */
type ServerKind = 'full' | 'ignores' | 'refuses';

interface Mapping {
  port: number;
  refreshedAt: number;
}

/** One host behind one port-restricted NAT, and a server it talks to. */
class World {
  now = 1_000;
  lifetimeMs: number;
  server: ServerKind = 'full';
  oneWayMs = 20;
  inboundRefreshes = false;
  loses: () => boolean = () => false;
  serverUp = true;
  /** Whether the host has sockets left. */
  opens = true;
  readonly core: Lifetime;
  /** Datagrams out of the spare sockets. */
  readonly held: number[] = [];
  readonly open = new Set<number>();
  readonly seen: (number | null)[] = [];
  readonly #mappings = new Map<number, Mapping>();
  #jobs: { at: number; run: () => void }[] = [];
  #nextSocket = 2;
  #nextPort = 30_000;
  #random = 1;

  constructor(lifetimeS: number) {
    this.lifetimeMs = lifetimeS * 1_000;
    this.core = new Lifetime({
      mainSocket: MAIN,
      random: (length) => Uint8Array.from({ length }, () => (this.#random = (this.#random * 48_271) % 2_147_483_647)),
    });
  }

  begin(): void {
    this.feed({ type: 'server', server: SERVER });
  }

  feed(event: LifetimeEvent): void {
    for (const action of this.core.handle(this.now, event)) this.#act(action);
  }

  run(seconds: number): void {
    const end = this.now + seconds * 1_000;
    for (let job = this.#jobs[0]; job !== undefined && job.at <= end; job = this.#jobs[0]) {
      this.#jobs.shift();
      this.now = Math.max(this.now, job.at);
      job.run();
    }
    this.now = end;
  }

  #act(action: LifetimeAction): void {
    switch (action.type) {
      case 'lifetime':
        this.seen.push(this.core.view().alive);
        return;
      case 'open-socket': {
        if (!this.opens) return;
        const socket = this.#nextSocket++;
        this.open.add(socket);
        return this.#later(1, () => this.feed({ type: 'socket', request: action.request, socket }));
      }
      case 'close-socket':
        this.open.delete(action.socket);
        return;
      case 'wake':
        if (action.at <= this.now) throw new Error(`woken at ${action.at}, now is ${this.now}`);
        return this.#later(action.at - this.now, () => this.feed({ type: 'tick' }));
      case 'stun':
        return this.#outbound(action.socket, action.bytes);
    }
  }

  #outbound(socket: number, bytes: Uint8Array): void {
    if (socket !== MAIN) this.held.push(this.now);
    let mapping = this.#mappings.get(socket);
    if (mapping === undefined || !this.#alive(mapping)) {
      mapping = { port: this.#nextPort++, refreshedAt: this.now };
      this.#mappings.set(socket, mapping);
    }
    mapping.refreshedAt = this.now;
    const from = mapping.port;
    if (!this.loses() && this.serverUp) this.#later(this.oneWayMs, () => this.#serve(from, bytes));
  }

  #serve(from: number, bytes: Uint8Array): void {
    const decoded = decodeStun(bytes);
    if (decoded.kind !== 'ok') throw new Error('no STUN');
    const asked = readResponsePort(decoded.message);
    const { transactionId } = decoded.message;
    const refused = asked !== 'absent' && this.server === 'refuses';
    const answer = refused
      ? encodeBindingResponse({ kind: 'error', transactionId, error: { code: 420, phrase: '' }, unknown: [0x27] })
      : encodeBindingResponse({
          kind: 'success',
          transactionId,
          mapped: { ip: EXTERNAL_IP, port: from },
          origin: null,
          other: null,
        });
    const to = typeof asked === 'number' && this.server === 'full' ? asked : from;
    if (!this.loses()) this.#later(this.oneWayMs, () => this.#inbound(to, answer));
  }

  #inbound(port: number, bytes: Uint8Array): void {
    const entry = [...this.#mappings].find(([, mapping]) => mapping.port === port && this.#alive(mapping));
    if (entry === undefined) return;
    if (this.inboundRefreshes) entry[1].refreshedAt = this.now;
    if (entry[0] === MAIN || this.open.has(entry[0]))
      this.feed({ type: 'stun', socket: entry[0], from: SERVER, bytes });
  }

  #alive(mapping: Mapping): boolean {
    return this.now - mapping.refreshedAt < this.lifetimeMs;
  }

  #later(ms: number, run: () => void): void {
    const at = this.now + ms;
    this.#jobs.splice(this.#jobs.findLastIndex((job) => job.at <= at) + 1, 0, { at, run });
  }
}

/** The highest rung that a NAT of this lifetime passes. */
const rungOf = (lifetimeS: number) => LADDER.findLast((rung) => rung <= lifetimeS) ?? null;

describe('the lifetime of a mapping', () => {
  it.each([
    [10, 10, 20],
    [20, 20, 30],
    [30, 30, 60],
    [65, 60, 120],
    [120, 120, null],
    [100_000, 120, null],
  ])('of %i s is found on the ladder', (lifetime, alive, expired) => {
    for (const inboundRefreshes of [false, true]) {
      const world = new World(lifetime);
      world.inboundRefreshes = inboundRefreshes;
      world.begin();
      world.run(400);
      expect(world.core.view()).toEqual({ alive, expired });
      expect(world.open.size).toBe(0);
    }
  });

  it('is told rung by rung, so that the keepalive need not wait for the end', () => {
    const world = new World(1_000);
    world.begin();
    world.run(65);
    expect(world.seen).toEqual([10, 20, 30]);
  });

  it('below the first rung is looked for once more', () => {
    const world = new World(7);
    world.begin();
    world.run(100);
    expect(world.core.view()).toEqual({ alive: 5, expired: 10 });
  });

  it('costs one socket and a handful of datagrams, and stays silent in between', () => {
    const world = new World(1_000);
    world.begin();
    world.run(400);
    expect(world.held).toHaveLength(LADDER.length);
    const silences = world.held.slice(1).map((at, i) => Math.round((at - (world.held[i] ?? 0)) / 1_000));
    expect(silences).toEqual(LADDER.slice(0, -1));
  });

  it('is never called longer than it is, and found in the end, whatever gets lost', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(10, 20, 25, 30, 65, 120, 300),
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.double({ min: 0, max: 0.2, noNaN: true }),
        (lifetime, seed, loss) => {
          const world = new World(lifetime);
          world.loses = chance(loss, seed);
          world.begin();
          world.run(1_200);
          const { alive } = world.core.view();
          expect(alive ?? 0).toBeLessThanOrEqual(lifetime);
          if (loss < 0.05) expect(alive).toBe(rungOf(lifetime));
        },
      ),
      { numRuns: 200 },
    );
  });

  it.each(['ignores', 'refuses'] as const)('stays unknown with a server that %s RESPONSE-PORT', (kind) => {
    const world = new World(30);
    world.server = kind;
    world.begin();
    world.run(300);
    expect(world.core.view()).toEqual({ alive: null, expired: null });
    expect(world.open.size).toBe(0);
  });

  it('is not called short when the server goes away in a silence, and is measured on when it is back', () => {
    const world = new World(65);
    world.begin();
    world.run(25);
    world.serverUp = false;
    world.run(40);
    expect(world.core.view()).toEqual({ alive: 10, expired: null });
    world.serverUp = true;
    world.run(400);
    expect(world.core.view()).toEqual({ alive: 60, expired: 120 });
  });

  it('is not called short by a machine that slept through the end of a silence', () => {
    const world = new World(30);
    world.begin();
    world.run(12);
    expect(world.core.view().alive).toBe(10);
    // Three times, each longer than the mapping lives.
    for (let nap = 0; nap < 3; nap++) {
      world.now += 40_000;
      world.run(15);
    }
    world.run(300);
    expect(world.core.view()).toEqual({ alive: 30, expired: 60 });
  });

  it('is forgotten with the network and measured again', () => {
    const world = new World(20);
    world.begin();
    world.run(200);
    expect(world.core.view().alive).toBe(20);
    world.lifetimeMs = 65_000;
    world.feed({ type: 'network-changed' });
    expect(world.core.view()).toEqual({ alive: null, expired: null });
    world.begin();
    world.run(400);
    expect(world.core.view().alive).toBe(60);
    expect(world.open.size).toBe(0);
  });

  it('is measured when the host has a socket to spare again', () => {
    const world = new World(20);
    world.opens = false;
    world.begin();
    world.run(100);
    expect(world.core.view().alive).toBeNull();
    world.opens = true;
    world.run(200);
    expect(world.core.view().alive).toBe(20);
  });

  it('ignores what nobody asked, and answers from elsewhere', () => {
    const world = new World(100);
    world.begin();
    world.run(5);
    const bytes = encodeBindingResponse({
      kind: 'success',
      transactionId: new Uint8Array(12),
      mapped: { ip: EXTERNAL_IP, port: 1 },
      origin: null,
      other: null,
    });
    for (const socket of [MAIN, 2, 77]) world.feed({ type: 'stun', socket, from: SERVER, bytes });
    world.feed({ type: 'stun', socket: 2, from: SERVER, bytes: new Uint8Array(3) });
    expect(world.core.view().alive).toBeNull();
    world.run(200);
    expect(world.core.view().alive).toBe(60);
  });
});
