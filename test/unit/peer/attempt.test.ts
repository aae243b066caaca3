import { describe, expect, it } from 'vitest';
import { home, Network } from './network.ts';

const OPEN = ['endpoint-independent', 'endpoint-independent'] as const;
const HARD = ['address-and-port-dependent', 'address-and-port-dependent'] as const;

describe('what is said of a punch', () => {
  it('is nothing before there is an address to try, and nothing once there is a direct path', () => {
    const net = new Network(home(1, ...OPEN), home(2, ...OPEN));
    expect(net.a.core.view(net.now).punch).toBeNull();
    net.meet();
    net.until(() => net.bothDirect(), 1_000);
    expect(net.a.core.view(net.now).punch).toBeNull();
  });

  it('does not count checks that the budget held back', () => {
    const net = new Network(home(1, ...HARD), home(2, ...HARD));
    net.meet();
    net.run(3_000);
    const before = net.a.core.view(net.now).punch?.probesSent ?? 0;
    const checks = net.a.sentPings.filter(({ via }) => via !== 'external');
    net.feed(net.a, { type: 'withheld', seqs: checks.slice(-3).map(({ seq }) => seq) });
    expect(net.a.core.view(net.now).punch?.probesSent).toBe(before - 3);
  });

  it('counts the checks that left, up to what the schedule allows, and then waits', () => {
    const net = new Network(home(1, ...HARD), home(2, ...HARD));
    net.meet();
    net.run(3_000);
    const early = net.a.core.view(net.now).punch;
    const checks = () => net.a.sentPings.filter(({ via }) => via !== 'external').length;
    expect(early).toMatchObject({ strategy: 'simultaneous-open', phase: 'probing', mappings: 0, odds: null });
    expect(early?.probesSent).toBe(checks());
    expect(early?.probesSent).toBeLessThan(early?.probesMax ?? 0);
    net.run(70_000);
    const late = net.a.core.view(net.now).punch;
    expect(late?.phase).toBe('waiting');
    expect(late?.probesSent).toBe(late?.probesMax);
    expect(checks()).toBeGreaterThanOrEqual(late?.probesMax ?? 0);
  });
});
