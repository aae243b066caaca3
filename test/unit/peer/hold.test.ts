import { describe, expect, it } from 'vitest';
import { ReturnHold } from '../../../engine/core/peer/hold.ts';
import { DEATHS_FORGIVEN_AFTER_MS } from '../../../engine/core/peer/tuning.ts';
import { home, Network } from './network.ts';

describe('the hold after a death', () => {
  it('grows with each death in use, for other paths from the second on', () => {
    const hold = new ReturnHold();
    const both = () => [hold.ms(true), hold.ms(false)];
    expect(both()).toEqual([0, 0]);
    const grown = [];
    for (let deaths = 1; deaths <= 5; deaths++) {
      hold.died();
      grown.push(both());
    }
    expect(grown).toEqual([
      [500, 0],
      [2_000, 500],
      [8_000, 2_000],
      [30_000, 8_000],
      [30_000, 30_000],
    ]);
  });

  it('is forgotten once a path in use has lived for a minute', () => {
    const hold = new ReturnHold();
    hold.died();
    hold.died();
    hold.lived(DEATHS_FORGIVEN_AFTER_MS);
    expect(hold.ms(true)).toBe(2_000);
    hold.lived(DEATHS_FORGIVEN_AFTER_MS + 1);
    expect(hold.ms(true)).toBe(0);
  });
});

describe('behind a NAT that forgets again and again', () => {
  /** Two members with traffic; whenever a direct path has stood for so long, the mappings behind it are gone. */
  function flapping(standsMs: number) {
    const filter = 'address-and-port-dependent';
    const net = new Network(home(1, 'endpoint-independent', filter), home(2, 'endpoint-independent', filter));
    const moves: number[] = [];
    net.meet();
    net.startTraffic(net.a);
    let since = net.now;
    const run = (ms: number, forgets: boolean) => {
      for (const end = net.now + ms; net.now < end; net.run(20)) {
        const changes = net.a.changes.splice(0);
        moves.push(...changes.map(() => net.now));
        if (changes.length > 0) since = net.now;
        if (!forgets || net.a.path?.kind !== 'udp' || net.now - since < standsMs) continue;
        since = Number.POSITIVE_INFINITY;
        net.b.nat?.reboot();
        net.gather(net.b);
      }
    };
    return { net, moves, run };
  }

  const most = (moves: number[]) =>
    Math.max(...moves.map((from) => moves.filter((at) => at - from < 60_000 && at >= from).length));

  it.each([300, 1_000, 2_000])('the path does not swing, though each one is new (%i ms)', (standsMs) => {
    const { moves, run } = flapping(standsMs);
    run(180_000, true);
    expect(moves.length).toBeGreaterThan(8);
    expect(most(moves)).toBeLessThanOrEqual(12);
  });

  /** Until a direct path waits beside the relay, for half a minute from now. */
  function waiting() {
    const flap = flapping(500);
    const { net, run } = flap;
    run(90_000, true);
    net.until(() => net.a.path?.kind === 'udp', 40_000);
    net.b.nat?.reboot();
    net.gather(net.b);
    net.until(() => net.a.path?.kind === 'external', 2_000);
    net.until(() => net.a.core.direct(), 2_000);
    return flap;
  }

  it('a path that waits for its turn is one: nobody guesses for another, and its socket stays', () => {
    const { net, run } = waiting();
    expect(net.a.core.view(net.now).direct).toBe(false);
    expect(net.a.core.directSocket()).toBe(0);
    run(35_000, false);
    expect(net.kinds()).toEqual(['direct', 'direct']);
  });

  it('a path that waits is one although a probe of it is lost', () => {
    const { net } = waiting();
    net.loses = () => true;
    net.run(200);
    net.loses = () => false;
    for (const end = net.now + 1_000; net.now < end; net.run(10)) expect(net.a.core.direct()).toBe(true);
  });

  it('a path that waits takes over from a relay that falls silent', () => {
    const { net } = waiting();
    net.relayUp = false;
    net.run(3_000);
    const sent = net.a.dataSent;
    net.run(1_000);
    expect(net.b.received.has(sent)).toBe(true);
    expect(net.a.path?.kind).toBe('udp');
  });

  it('the path does not swing, though another one has stood beside it for long', () => {
    const filter = 'address-and-port-dependent';
    const v6 = (n: number) => ({ ip: `2001:db8::${n}`, port: 51_820 });
    const a = { ...home(1, 'endpoint-independent', filter), v6: v6(1) };
    const net = new Network(a, { ...home(2, 'endpoint-independent', filter), v6: v6(2) });
    const moves: number[] = [];
    net.meet();
    net.startTraffic(net.a);
    net.run(90_000);
    net.a.changes.length = 0;
    let since = net.now;
    let address = 3;
    for (const end = net.now + 180_000; net.now < end; net.run(20)) {
      const changes = net.a.changes.splice(0);
      moves.push(...changes.map(() => net.now));
      if (changes.length > 0) since = net.now;
      if (net.a.path?.kind !== 'udp' || net.a.path.socket !== 1 || net.now - since < 500) continue;
      since = Number.POSITIVE_INFINITY;
      net.b.v6 = v6(address++);
      net.gather(net.b);
    }
    expect(moves.length).toBeGreaterThan(8);
    expect(most(moves)).toBeLessThanOrEqual(12);
  });
});
