import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PathMtu } from '../../../engine/core/peer/mtu.ts';
import { BASE_MTU, KNOWN_MTUS, MTU_RAISE_MS } from '../../../engine/core/peer/tuning.ts';
import { home, Network } from './network.ts';

const RTT_MS = 40;
const TIMEOUT_MS = 250;

/** A path that passes what is not larger than `mtu`, unless `loses` says otherwise. */
class Wire {
  readonly search = new PathMtu();
  readonly sent: { at: number; size: number }[] = [];
  now = 0;
  mtu: number;
  loses: () => boolean = () => false;
  active = false;
  /** Of the sizes that are due at once, so many leave. */
  room = Number.POSITIVE_INFINITY;
  /** Whether small probes are answered. */
  answers = true;

  constructor(mtu: number) {
    this.mtu = mtu;
  }

  run(ms: number): void {
    const end = this.now + ms;
    const answers: { at: number; size: number }[] = [];
    for (; this.now < end; this.now += 10) {
      for (const answer of answers.splice(0)) {
        if (answer.at <= this.now) this.search.answered(answer.size, this.now);
        else answers.push(answer);
      }
      const path = { timeoutMs: TIMEOUT_MS, active: this.active, answers: this.answers };
      for (const [i, size] of this.search.due(this.now, path).entries()) {
        if (i >= this.room) {
          this.search.withheld(size);
          continue;
        }
        this.sent.push({ at: this.now, size });
        if (size <= this.mtu && !this.loses()) answers.push({ at: this.now + RTT_MS, size });
      }
    }
  }
}

/** The largest size that is tried and passes. */
const found = (mtu: number) => Math.max(BASE_MTU, ...KNOWN_MTUS.filter((size) => size <= mtu));

describe('the search for a path MTU', () => {
  it.each([1_280, 1_372, 1_400, 1_452, 1_480, 1_492, 1_500])('finds %i', (mtu) => {
    const wire = new Wire(mtu);
    expect(wire.search.mtu).toBe(BASE_MTU);
    wire.run(1_500);
    expect(wire.search.mtu).toBe(mtu);
  });

  it('costs three probes and one round trip on an Ethernet', () => {
    const wire = new Wire(1_500);
    wire.run(60);
    expect(wire.search.mtu).toBe(1_500);
    wire.run(10_000);
    expect(wire.sent).toHaveLength(3);
  });

  it('never believes in more than passes, and finds it although probes get lost', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1_280, max: 1_500 }), fc.array(fc.boolean(), { minLength: 1 }), (mtu, losses) => {
        const wire = new Wire(mtu);
        let probe = 0;
        wire.loses = () => losses[probe++ % losses.length] ?? false;
        for (let step = 0; step < 40; step++) {
          wire.run(50);
          expect(wire.search.mtu).toBeLessThanOrEqual(found(mtu));
        }
        wire.loses = () => false;
        wire.run(MTU_RAISE_MS + 2_000);
        expect(wire.search.mtu).toBe(found(mtu));
      }),
      { numRuns: 40 },
    );
  });

  it.each([2_000, 10_000])('is not decided by %i ms in which nothing comes through', (ms) => {
    const wire = new Wire(1_400);
    wire.loses = () => wire.now < ms;
    wire.run(20_000);
    expect(wire.search.mtu).toBe(1_400);
  });

  it.each([1, 3])('goes on where a budget lets only %i at once leave', (room) => {
    const wire = new Wire(1_372);
    wire.room = room;
    wire.run(5_000);
    expect(wire.search.mtu).toBe(1_372);
  });

  it('has not looked while nothing may leave', () => {
    const wire = new Wire(1_500);
    wire.room = 0;
    wire.run(60_000);
    wire.room = 1;
    wire.run(500);
    expect(wire.search.mtu).toBe(1_500);
  });

  it('ends, and looks again after ten minutes', () => {
    const wire = new Wire(1_400);
    wire.run(20_000);
    const cost = wire.sent.length;
    expect(cost).toBeLessThan(60);
    wire.mtu = 1_500;
    wire.run(MTU_RAISE_MS - 5_000);
    expect(wire.sent).toHaveLength(cost);
    wire.run(3_000);
    expect(wire.search.mtu).toBe(1_500);
  });
});

describe('a path that becomes a black hole for big packets', () => {
  it('is found within three seconds while data flows', () => {
    const wire = new Wire(1_500);
    wire.active = true;
    wire.run(5_000);
    wire.mtu = 1_400;
    wire.run(3_500);
    expect(wire.search.mtu).toBe(1_400);
  });

  it('is not suspected when small probes are not answered either', () => {
    const wire = new Wire(1_500);
    wire.active = true;
    wire.run(5_000);
    wire.loses = () => true;
    wire.answers = false;
    wire.run(10_000);
    expect(wire.search.mtu).toBe(1_500);
  });

  it('is not suspected for one loss in ten', () => {
    const wire = new Wire(1_500);
    wire.active = true;
    let count = 0;
    wire.loses = () => ++count % 10 === 0;
    const seen = new Set<number>();
    for (let step = 0; step < 600; step++) {
      wire.run(100);
      if (step > 10) seen.add(wire.search.mtu);
    }
    expect([...seen]).toEqual([1_500]);
  });

  it('costs nothing while idle', () => {
    const wire = new Wire(1_500);
    wire.run(1_000);
    const cost = wire.sent.length;
    wire.run(60_000);
    expect(wire.sent).toHaveLength(cost);
  });
});

describe('two members', () => {
  const port = 'address-and-port-dependent';
  const between = (mtu: { a: number; b: number }) => {
    const net = new Network(home(1, 'endpoint-independent', port), home(2, 'endpoint-independent', port));
    net.mtu = (from) => mtu[from.name as 'a' | 'b'];
    net.meet();
    net.until(() => net.bothDirect(), 1_000);
    return net;
  };
  const told = (net: Network) => [net.a, net.b].map(({ path }) => (path?.kind === 'udp' ? path.mtu : null));

  it('begin a direct path at 1,280 and use what each direction carries', () => {
    const mtu = { a: 1_500, b: 1_400 };
    const net = between(mtu);
    expect(Math.max(...told(net).map(Number))).toBeLessThanOrEqual(1_500);
    net.run(2_000);
    expect(told(net)).toEqual([1_500, 1_400]);
    expect(net.a.core.view(net.now).path?.mtu).toBe(1_500);
  });

  it('lose no path to padded probes that vanish', () => {
    const net = between({ a: 1_280, b: 1_280 });
    net.startTraffic(net.a);
    net.run(30_000);
    expect(told(net)).toEqual([1_280, 1_280]);
    expect(net.a.changes.map(({ to }) => to).at(-1)).toBe('direct');
    expect(net.a.core.view(net.now).path?.lossPct).toBe(0);
  });

  it('search again after a change of network', () => {
    const mtu = { a: 1_500, b: 1_500 };
    const net = between(mtu);
    net.run(2_000);
    mtu.a = 1_372;
    net.feed(net.a, { type: 'network-changed' });
    expect(told(net)[0]).toBe(BASE_MTU);
    net.run(2_000);
    expect(told(net)).toEqual([1_372, 1_500]);
  });

  it('notice while data flows that big packets vanish', () => {
    const mtu = { a: 1_500, b: 1_500 };
    const net = between(mtu);
    net.startTraffic(net.a);
    net.run(3_000);
    mtu.a = 1_452;
    net.until(() => told(net)[0] === 1_452, 4_000);
    expect(net.a.changes.at(-1)?.to).toBe('direct');
  });
});
