import { describe, expect, it } from 'vitest';
import { type Filter, type Mapping, Nat } from '../peer/network.ts';
import { StunNetwork } from './stun-network.ts';

const MAPPINGS: Mapping[] = ['endpoint-independent', 'address-dependent', 'address-and-port-dependent'];
const FILTERS: Filter[] = ['endpoint-independent', 'address-dependent', 'address-and-port-dependent'];
const NAMES: Record<Filter, string> = {
  'endpoint-independent': 'NAT1',
  'address-dependent': 'NAT2',
  'address-and-port-dependent': 'NAT3',
};
const behind = (mapping: Mapping, filter: Filter) => new StunNetwork(new Nat('203.0.113.1', mapping, filter));

describe('a server with two addresses', () => {
  for (const mapping of MAPPINGS) {
    for (const filter of FILTERS) {
      it(`finds ${mapping} mapping with ${filter} filtering`, () => {
        const net = behind(mapping, filter);
        net.feed({ type: 'servers', servers: [net.server('198.51.100.2', 'two-addresses')] });
        net.run(4_000);
        expect(net.last).toMatchObject({
          mapping,
          filtering: filter,
          type: mapping === 'endpoint-independent' ? NAMES[filter] : 'NAT4',
          publicAddresses: ['203.0.113.1'],
        });
        expect(net.core.settled()).toBe(true);
      });
    }
  }

  it('reports the reflexive candidate after one round trip, before anything else is known', () => {
    const net = behind('endpoint-independent', 'address-and-port-dependent');
    net.feed({ type: 'servers', servers: [net.server('198.51.100.2', 'two-addresses')] });
    net.run(2 * net.oneWayMs);
    expect(net.reports[0]).toMatchObject({
      at: 5_000 + 2 * net.oneWayMs,
      candidates: [{ kind: 'reflexive', ip: '203.0.113.1', port: 20_000 }],
    });
  });

  it('tests filtering from a socket that has sent to the one primary endpoint only', () => {
    const net = behind('endpoint-independent', 'address-dependent');
    net.feed({ type: 'servers', servers: [net.server('198.51.100.2', 'two-addresses')] });
    net.run(2_000);
    const fresh = net.sent.filter((datagram) => datagram.socket !== 0);
    expect(fresh.length).toBeGreaterThan(3);
    expect(new Set(fresh.map(({ to }) => `${to.ip}:${to.port}`))).toEqual(new Set(['198.51.100.2:3478']));
  });
});
