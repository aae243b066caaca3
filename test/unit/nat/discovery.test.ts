import { describe, expect, it } from 'vitest';
import { encodeBindingResponse } from '../../../engine/core/stun/binding.ts';
import { chance, type Filter, type Mapping, Nat } from '../peer/network.ts';
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
        expect(net.core.comparesAddresses()).toBe(true);
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

describe('a server with one address and two ports', () => {
  const ask = (net: StunNetwork) => {
    net.feed({ type: 'servers', servers: [net.server('198.51.100.2', 'one-address')] });
    net.run(4_000);
    return net.last;
  };

  it('calls a mapping that is the same for both ports endpoint-independent', () => {
    const net = behind('endpoint-independent', 'address-and-port-dependent');
    expect(ask(net)).toMatchObject({
      mapping: 'endpoint-independent',
      filtering: 'address-and-port-dependent',
      type: 'NAT3',
    });
    expect(net.core.comparesAddresses()).toBe(false);
  });

  it('sees a mapping that follows the port', () => {
    expect(ask(behind('address-and-port-dependent', 'address-and-port-dependent')).type).toBe('NAT4');
  });

  it('gives an open filter the narrower name, because it cannot ask from another address', () => {
    expect(ask(behind('endpoint-independent', 'endpoint-independent'))).toMatchObject({
      filtering: 'address-dependent',
      type: 'NAT2',
    });
  });

  it('calls a host without NAT open', () => {
    expect(ask(new StunNetwork(null))).toMatchObject({ mapping: 'none', type: 'open', cgnat: false, hairpin: null });
  });

  it('two of them see a mapping that follows the address', () => {
    const net = behind('address-dependent', 'address-and-port-dependent');
    const servers = [net.server('198.51.100.2', 'one-address'), net.server('198.51.100.8', 'one-address')];
    net.feed({ type: 'servers', servers });
    net.run(4_000);
    expect(net.last).toMatchObject({ mapping: 'address-dependent', type: 'NAT4' });
    expect(net.reports.at(-1)?.candidates).toHaveLength(2);
    expect(net.core.comparesAddresses()).toBe(true);
  });
});

describe('a server that knows nothing of RFC 5780', () => {
  it('still gives the reflexive candidate, and no name', () => {
    const net = behind('endpoint-independent', 'address-dependent');
    net.feed({ type: 'servers', servers: [net.server('198.51.100.2', 'plain')] });
    net.run(4_000);
    expect(net.last).toMatchObject({ mapping: 'unknown', filtering: 'unknown', type: 'unknown' });
    expect(net.reports.at(-1)?.candidates).toHaveLength(1);
    expect(net.core.settled()).toBe(true);
  });
});

describe('a server that nobody announced in full', () => {
  it('names its other address itself', () => {
    const net = behind('endpoint-independent', 'endpoint-independent');
    const server = net.server('198.51.100.2', 'two-addresses');
    net.feed({ type: 'servers', servers: [{ ...server, secondPort: null, alternate: null }] });
    net.run(4_000);
    expect(net.last.type).toBe('NAT1');
  });

  it('is measured once, also when it is announced again', () => {
    const net = behind('endpoint-independent', 'endpoint-independent');
    const announced = { ...net.server('198.51.100.2', 'two-addresses'), secondPort: null, alternate: null };
    net.feed({ type: 'servers', servers: [announced] });
    net.run(4_000);
    const sent = net.sent.length;
    net.feed({ type: 'servers', servers: [announced] });
    net.run(4_000);
    expect(net.sent.length).toBe(sent);
  });
});

describe('several servers', () => {
  it('the one with two addresses tests the filter, although another answers first', () => {
    const net = behind('endpoint-independent', 'endpoint-independent');
    const servers = [net.server('198.51.100.2', 'one-address'), net.server('198.51.100.8', 'two-addresses')];
    net.slow('198.51.100.8', 200);
    net.feed({ type: 'servers', servers });
    net.run(4_000);
    expect(net.last.type).toBe('NAT1');
  });

  it('the one with one address does, where the other never answers', () => {
    const net = behind('endpoint-independent', 'address-and-port-dependent');
    const servers = [net.server('198.51.100.2', 'one-address'), net.server('198.51.100.8', 'two-addresses')];
    net.silence('198.51.100.8');
    net.feed({ type: 'servers', servers });
    net.run(6_000);
    expect(net.last.type).toBe('NAT3');
    expect(net.core.settled()).toBe(true);
  });
});

describe('a host that is out of sockets', () => {
  it('still learns its mapping and settles', () => {
    const net = behind('endpoint-independent', 'address-dependent');
    net.opensSockets = false;
    net.feed({ type: 'servers', servers: [net.server('198.51.100.2', 'two-addresses')] });
    net.run(4_000);
    expect(net.last).toMatchObject({ mapping: 'endpoint-independent', filtering: 'unknown' });
    expect(net.core.settled()).toBe(true);
  });
});

describe('lost datagrams', () => {
  it('change no mapping when three of ten are lost, and never open a filter', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const net = behind('endpoint-independent', 'address-dependent');
      const lost = chance(0.3, seed * 7_919);
      net.loses = () => lost();
      net.feed({ type: 'servers', servers: [net.server('198.51.100.2', 'two-addresses')] });
      net.run(6_000);
      expect(net.last.mapping).toBe('endpoint-independent');
      expect(['address-dependent', 'address-and-port-dependent']).toContain(net.last.filtering);
    }
  });

  it('delay the reflexive candidate by the retransmission timeout only', () => {
    const net = behind('endpoint-independent', 'address-dependent');
    net.loses = (index) => index < 3;
    net.feed({ type: 'servers', servers: [net.server('198.51.100.2', 'two-addresses')] });
    net.run(1_000);
    expect(net.reports.find(({ candidates }) => candidates.length > 0)?.at).toBe(5_000 + 100 + 2 * net.oneWayMs);
  });
});

describe('UDP that is blocked', () => {
  const silent = () => {
    const net = behind('endpoint-independent', 'endpoint-independent');
    net.loses = () => true;
    net.feed({ type: 'servers', servers: [net.server('198.51.100.2', 'two-addresses')] });
    return net;
  };

  it('is said after 3 s of silence while TCP works', () => {
    const net = silent();
    net.feed({ type: 'tcp-reachable' });
    net.run(2_990);
    expect(net.last.type).toBe('unknown');
    expect(net.core.settled()).toBe(false);
    net.run(20);
    expect(net.last.type).toBe('udp-blocked');
    expect(net.core.settled()).toBe(true);
  });

  it('stays said while it is measured again', () => {
    const net = silent();
    net.feed({ type: 'tcp-reachable' });
    net.run(120_000);
    const types = net.reports.map(({ report }) => report.type);
    expect(types.slice(types.indexOf('udp-blocked'))).toEqual(['udp-blocked']);
  });

  it('is forgotten with the network', () => {
    const net = silent();
    net.feed({ type: 'tcp-reachable' });
    net.run(4_000);
    net.feed({ type: 'network-changed', localAddresses: ['192.168.1.10'] });
    expect(net.last.type).toBe('unknown');
  });

  it('is not said where TCP does not work either', () => {
    const net = silent();
    net.run(10_000);
    expect(net.last.type).toBe('unknown');
  });

  it('is taken back by the first answer, on a later try', () => {
    const net = silent();
    net.feed({ type: 'tcp-reachable' });
    net.feed({ type: 'watch', on: true });
    net.run(5_000);
    net.loses = () => false;
    net.run(30_000);
    expect(net.last.type).toBe('NAT1');
  });
});

describe('hairpinning', () => {
  for (const hairpins of [true, false]) {
    it(`is ${hairpins ? 'found' : 'denied'} behind a NAT that ${hairpins ? 'does' : 'does not do'} it`, () => {
      const net = behind('endpoint-independent', 'address-and-port-dependent');
      net.hairpins = hairpins;
      net.feed({ type: 'servers', servers: [net.server('198.51.100.2', 'two-addresses')] });
      net.run(6_000);
      expect(net.last.hairpin).toBe(hairpins);
      expect([...net.sockets.keys()]).toEqual([0]);
    });
  }

  it('stays unknown behind a symmetric NAT', () => {
    const net = behind('address-and-port-dependent', 'endpoint-independent');
    net.feed({ type: 'servers', servers: [net.server('198.51.100.2', 'two-addresses')] });
    net.run(6_000);
    expect(net.last.hairpin).toBeNull();
  });
});

describe('carrier NAT', () => {
  it('is proven by a local address of 100.64.0.0/10', () => {
    const net = new StunNetwork(new Nat('203.0.113.1', 'endpoint-independent', 'endpoint-independent'), '100.70.1.2');
    net.feed({ type: 'servers', servers: [net.server('198.51.100.2', 'two-addresses')] });
    net.run(4_000);
    expect(net.last.cgnat).toBe(true);
  });

  it('is unknown behind an ordinary router', () => {
    const net = behind('endpoint-independent', 'endpoint-independent');
    net.feed({ type: 'servers', servers: [net.server('198.51.100.2', 'two-addresses')] });
    net.run(4_000);
    expect(net.last.cgnat).toBeNull();
  });
});

describe('watching', () => {
  const settled = () => {
    const net = behind('endpoint-independent', 'address-and-port-dependent');
    net.feed({ type: 'servers', servers: [net.server('198.51.100.2', 'two-addresses')] });
    net.run(10_000);
    net.sent.length = 0;
    return net;
  };

  it('off: sends nothing at all', () => {
    const net = settled();
    net.run(300_000);
    expect(net.sent).toEqual([]);
  });

  it('on: asks at once, then once each 20 to 26 s', () => {
    const net = settled();
    net.feed({ type: 'watch', on: true });
    net.run(300_000);
    expect(net.sent[0]?.at).toBe(net.now - 300_000);
    const gaps = net.sent.slice(1).map(({ at }, i) => at - (net.sent[i]?.at ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(20_000);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(26_000);
  });

  it('finds the new mapping of a NAT that rebooted one round trip after a path died', () => {
    const net = settled();
    net.nat?.reboot();
    const reports = net.reports.length;
    net.feed({ type: 'watch', on: true });
    net.run(2 * net.oneWayMs + 1);
    const news = net.reports[reports];
    expect(news?.candidates).toMatchObject([{ kind: 'reflexive', ip: '203.0.113.1' }]);
    expect(news?.candidates[0]?.port).toBeGreaterThan(21_000);
    // What was known of the NAT stays known meanwhile.
    expect(news?.report.type).toBe('NAT3');
    net.run(5_000);
    expect(net.last.type).toBe('NAT3');
  });

  it('asks everybody again when the one server falls silent', () => {
    const net = behind('endpoint-independent', 'address-and-port-dependent');
    const servers = [net.server('198.51.100.2', 'two-addresses'), net.server('198.51.100.8', 'two-addresses')];
    net.feed({ type: 'servers', servers });
    net.run(10_000);
    net.silence('198.51.100.2');
    net.nat?.reboot();
    net.feed({ type: 'watch', on: true });
    net.run(10_000);
    expect(net.reports.at(-1)?.candidates).toHaveLength(1);
    expect(net.last.type).toBe('NAT3');
  });
});

describe('a NAT that stays unknown', () => {
  it('is measured again by a member who is alone, until it is known, ever more rarely', () => {
    const net = behind('endpoint-independent', 'address-and-port-dependent');
    let lost = true;
    net.loses = () => lost;
    net.feed({ type: 'servers', servers: [net.server('198.51.100.2', 'two-addresses')] });
    net.run(600_000);
    expect(net.last.type).toBe('unknown');
    const sent = net.sent.length;
    expect(sent).toBeLessThan(250);
    lost = false;
    net.run(310_000);
    expect(net.last.type).toBe('NAT3');
    net.sent.length = 0;
    net.run(600_000);
    expect(net.sent).toEqual([]);
  });
});

describe('a change of network', () => {
  it('starts over, and forgets what was known', () => {
    const net = behind('address-and-port-dependent', 'address-and-port-dependent');
    net.feed({ type: 'servers', servers: [net.server('198.51.100.2', 'two-addresses')] });
    net.run(6_000);
    expect(net.last.type).toBe('NAT4');
    net.nat = new Nat('203.0.113.99', 'endpoint-independent', 'endpoint-independent');
    net.feed({ type: 'network-changed', localAddresses: ['192.168.1.10'] });
    net.run(50);
    expect(net.last.type).not.toBe('NAT4');
    net.run(6_000);
    expect(net.last).toMatchObject({ type: 'NAT1', publicAddresses: ['203.0.113.99'] });
  });
});

describe('hostile answers', () => {
  it('are ignored: garbage, other transactions, other senders', () => {
    const net = behind('endpoint-independent', 'endpoint-independent');
    net.feed({ type: 'servers', servers: [net.server('198.51.100.2', 'two-addresses')] });
    const from = { ip: '198.51.100.2', port: 3_478 };
    for (let length = 0; length < 80; length++) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 37 + length) & 0xff);
      net.feed({ type: 'stun', socket: 0, from, bytes, at: net.now });
    }
    const transactionId = new Uint8Array(12);
    const mapped = { ip: '192.0.2.66', port: 666 };
    const forged = encodeBindingResponse({ kind: 'success', transactionId, mapped, origin: null, other: null });
    net.feed({ type: 'stun', socket: 0, from, bytes: forged, at: net.now });
    net.run(4_000);
    expect(net.last.publicAddresses).toEqual(['203.0.113.1']);
  });
});

describe('how ports are drawn', () => {
  it('is asked from eight fresh sockets, back to back, where the mapping is hard, and they close', () => {
    const net = behind('address-and-port-dependent', 'address-and-port-dependent');
    net.feed({ type: 'servers', servers: [net.server('198.51.100.2', 'two-addresses')] });
    net.run(200);
    // The test's NAT counts by seven.
    expect(net.last.ports).toMatchObject({ kind: 'sequential', step: 7 });
    const fresh = net.sent.filter(({ socket }) => socket > 7);
    expect(fresh.length).toBe(8);
    expect(new Set(fresh.map(({ at }) => at)).size).toBe(1);
    net.run(4_000);
    expect([...net.sockets.keys()]).toEqual([0]);
  });

  it('is known although two answers are lost', () => {
    const net = behind('address-and-port-dependent', 'address-and-port-dependent');
    net.loses = (index) => [net.sent.findIndex(({ socket }) => socket === 9), 12].includes(index);
    net.feed({ type: 'servers', servers: [net.server('198.51.100.2', 'two-addresses')] });
    net.run(4_000);
    expect(net.last.ports.kind).toBe('sequential');
  });

  it('is not asked behind an easy NAT: its second socket is the only fresh one', () => {
    const net = behind('endpoint-independent', 'address-and-port-dependent');
    net.feed({ type: 'servers', servers: [net.server('198.51.100.2', 'two-addresses')] });
    net.run(4_000);
    expect(new Set(net.sent.map(({ socket }) => socket))).toEqual(new Set([0, 7]));
  });
});
