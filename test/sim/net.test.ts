import { describe, expect, test } from 'vitest';
import { createRandom } from './core/random.ts';
import { MainThread } from './core/thread.ts';
import { Timeline } from './core/timeline.ts';
import { HELLO, HOME_NAT, NetLab } from './net/lab.ts';
import { Link } from './net/link.ts';

describe('timeline', () => {
  test('runs events in order of time, equal times in order of insertion', async () => {
    const timeline = new Timeline();
    const seen: string[] = [];
    timeline.at(5, () => seen.push('b'));
    timeline.at(5, () => seen.push('c'));
    timeline.at(1, () => {
      seen.push('a');
      timeline.after(4, () => seen.push('d'));
    });
    const cancel = timeline.at(3, () => seen.push('never'));
    cancel();
    await timeline.runUntil(10);
    expect(seen.join('')).toBe('abcd');
    expect(timeline.now()).toBe(10);
  });

  test('a hundred thousand events come out sorted', async () => {
    const timeline = new Timeline();
    const random = createRandom(3);
    let last = 0;
    let sorted = true;
    for (let i = 0; i < 100_000; i++) {
      const at = random.int(0, 1_000);
      timeline.at(at, () => {
        sorted &&= at >= last;
        last = at;
      });
    }
    await timeline.runUntil(1_000);
    expect(sorted && last === 1_000).toBe(true);
  });

  test('promises settle before the next event', async () => {
    const timeline = new Timeline();
    const seen: number[] = [];
    timeline.at(1, () => {
      timeline.touch();
      void Promise.resolve()
        .then(() => Promise.resolve())
        .then(() => seen.push(1));
    });
    timeline.at(1, () => seen.push(2));
    await timeline.runUntil(2);
    expect(seen).toEqual([1, 2]);
  });
});

test('a stalled main thread delays its callbacks, in order, and nothing else', async () => {
  const timeline = new Timeline();
  const thread = new MainThread(timeline);
  const seen: [string, number][] = [];
  thread.at(10, () => seen.push(['timer', timeline.now()]));
  timeline.at(20, () => thread.run(() => seen.push(['event', timeline.now()])));
  timeline.at(30, () => seen.push(['native', timeline.now()]));
  thread.stall(100);
  await timeline.runUntil(200);
  expect(seen).toEqual([
    ['native', 30],
    ['timer', 100],
    ['event', 100],
  ]);
});

describe('random', () => {
  test('is uniform enough, and the same for the same seed', () => {
    const random = createRandom('seed');
    const counts = Array.from({ length: 16 }, () => 0);
    for (let i = 0; i < 160_000; i++) counts[random.int(0, 15)]!++;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
    expect(createRandom('seed').bytes(8)).toEqual(createRandom('seed').bytes(8));
    expect(createRandom('seed').bytes(8)).not.toEqual(createRandom('other').bytes(8));
  });

  test('draws Poisson counts with the right mean', () => {
    const random = createRandom(5);
    let sum = 0;
    for (let i = 0; i < 2_000; i++) sum += random.poisson(45);
    expect(sum / 2_000).toBeGreaterThan(44);
    expect(sum / 2_000).toBeLessThan(46);
  });
});

/** Numbers of the packets that arrive, in order: 1,000 bytes each, one a millisecond. */
async function deliveries(options: ConstructorParameters<typeof Link>[2], count: number): Promise<number[]> {
  const timeline = new Timeline();
  const link = new Link(timeline, createRandom(9), options);
  const arrived: number[] = [];
  for (let i = 0; i < count; i++) timeline.at(i, () => link.transmit(1_000, () => arrived.push(i)));
  await timeline.runUntil(60_000);
  return arrived;
}

describe('link', () => {
  test('loses its share', async () => {
    const arrived = await deliveries({ loss: 0.1 }, 5_000);
    expect(arrived.length).toBeGreaterThan(4_400);
    expect(arrived.length).toBeLessThan(4_600);
  });

  test('keeps the order under jitter, and breaks it when asked', async () => {
    const kept = await deliveries({ delayMs: 10, jitterMs: 50 }, 500);
    expect(kept).toEqual([...kept].toSorted((a, b) => a - b));
    const broken = await deliveries({ delayMs: 10, reorder: 0.2 }, 500);
    expect(broken).not.toEqual([...broken].toSorted((a, b) => a - b));
    expect(broken).toHaveLength(500);
  });

  test('duplicates its share', async () => {
    expect((await deliveries({ duplicate: 0.5 }, 1_000)).length).toBeGreaterThan(1_400);
  });

  test('a bottleneck passes its rate, and drops what its queue cannot hold', async () => {
    // 1,000 bytes a ms offered, 100 bytes a ms pass.
    const arrived = await deliveries({ bitsPerSecond: 800_000, queueBytes: 10_000 }, 1_000);
    expect(arrived.length).toBeGreaterThan(100);
    expect(arrived.length).toBeLessThan(115);
  });

  test('swallows what is larger than its MTU', async () => {
    expect(await deliveries({ mtu: 999 }, 10)).toEqual([]);
  });
});

describe('segments and hosts', () => {
  test('a datagram crosses the Internet with the delay of both links', async () => {
    const lab = new NetLab();
    const a = lab.socket(lab.host('a', ['198.51.100.1']), 1_000);
    const b = lab.socket(lab.host('b', ['198.51.100.2']), 2_000);
    a.send({ ip: '198.51.100.2', port: 2_000 }, HELLO);
    await lab.timeline.runFor(50);
    expect(b.received).toEqual([{ from: { ip: '198.51.100.1', port: 1_000 }, bytes: HELLO, at: 10 }]);
  });

  test('a private address leads nowhere on the Internet', async () => {
    const lab = new NetLab();
    const { lan } = lab.site('home', ['198.51.100.10'], HOME_NAT);
    const inside = lab.socket(lab.insider(lan, '192.168.1.2'), 1_000);
    const other = lab.site('other', ['198.51.100.11'], HOME_NAT);
    const there = lab.socket(lab.insider(other.lan, '192.168.1.3'), 1_000);
    inside.send({ ip: '192.168.1.3', port: 1_000 }, HELLO);
    await lab.timeline.runFor(100);
    expect(there.received).toEqual([]);
  });

  test('a host that changes its address is reached at the new one only', async () => {
    const lab = new NetLab();
    const a = lab.socket(lab.host('a', ['198.51.100.1']), 1_000);
    const moving = lab.host('b', ['198.51.100.2']);
    const b = lab.socket(moving, 2_000);
    moving.disconnect();
    moving.connect(lab.internet, '198.51.100.3', { delayMs: 5 });
    a.send({ ip: '198.51.100.2', port: 2_000 }, HELLO);
    a.send({ ip: '198.51.100.3', port: 2_000 }, HELLO);
    await lab.timeline.runFor(50);
    expect(b.received).toHaveLength(1);
  });
});
