import { describe, expect, it } from 'vitest';
import { type Filter, home, type Mapping, Nat, Network } from './network.ts';

const EASY: [string, Mapping, Filter][] = [
  ['full-cone', 'endpoint-independent', 'endpoint-independent'],
  ['address-restricted', 'endpoint-independent', 'address-dependent'],
  ['port-restricted', 'endpoint-independent', 'address-and-port-dependent'],
];
const SYMMETRIC: [Mapping, Filter] = ['address-and-port-dependent', 'address-and-port-dependent'];

describe('two members behind different NATs', () => {
  for (const [nameA, mappingA, filterA] of EASY) {
    for (const [nameB, mappingB, filterB] of EASY) {
      it(`${nameA} x ${nameB}: direct within 400 ms`, () => {
        const net = new Network(home(1, mappingA, filterA), home(2, mappingB, filterB));
        net.meet();
        expect(net.until(() => net.bothDirect(), 400)).toBeLessThan(400);
        expect(net.kinds()).toEqual(['direct', 'direct']);
        expect(net.a.core.view(net.now).reason).toBeNull();
      });
    }
  }

  for (const [name, mapping, filter] of EASY.slice(0, 2)) {
    it(`${name} x symmetric: direct, because the easy side answers the address that it hears`, () => {
      const net = new Network(home(1, mapping, filter), home(2, ...SYMMETRIC));
      net.meet();
      expect(net.until(() => net.bothDirect(), 1_000)).toBeLessThan(1_000);
    });
  }

  it('port-restricted x symmetric: connected over the relay, and says why', () => {
    const net = new Network(home(1, 'endpoint-independent', 'address-and-port-dependent'), home(2, ...SYMMETRIC));
    net.meet();
    net.run(10_000);
    expect(net.kinds()).toEqual(['relay', 'relay']);
    const view = net.a.core.view(net.now);
    expect(view).toMatchObject({ state: 'connected', direct: false, reason: 'hard-nat-pair' });
    expect(view.path?.remote).toBe('relay.example');
    expect(view.path?.rttMs).toBeCloseTo(60, 0);
  });

  it('symmetric x symmetric with open filters: each reaches the mapping of the other, and the echo of new ports is bounded', () => {
    const open: [Mapping, Filter] = ['address-and-port-dependent', 'endpoint-independent'];
    const net = new Network(home(1, ...open), home(2, ...open));
    net.meet();
    net.run(60_000);
    const targets = new Set(net.a.sentPings.map(({ via }) => (via === 'external' ? '' : `${via.remote.port}`)));
    expect(targets.size).toBeLessThan(25);
    expect(net.kinds()).toEqual(['direct', 'direct']);
  });

  it('packets flow over the relay from the first moment', () => {
    const net = new Network(home(1, ...SYMMETRIC), home(2, ...SYMMETRIC));
    net.feed(net.a, { type: 'relay', up: true, host: 'relay.example' });
    expect(net.a.path).toEqual({ kind: 'external' });
    expect(net.a.changes).toEqual([{ type: 'path-changed', from: null, to: 'relay', why: 'first' }]);
  });

  it('in one LAN: on the LAN path', () => {
    const nat = new Nat('203.0.113.1', 'endpoint-independent', 'address-and-port-dependent');
    const net = new Network(
      { lan: 'home', v4: { ip: '192.168.1.10', port: 51_820 }, nat },
      { lan: 'home', v4: { ip: '192.168.1.11', port: 51_820 }, nat },
    );
    net.meet();
    net.until(() => net.bothDirect(), 400);
    net.run(1_000);
    expect(net.kinds()).toEqual(['lan', 'lan']);
  });

  it('with IPv6 on both sides: on the IPv6 path', () => {
    const v6 = (n: number) => ({ ip: `2001:db8::${n}`, port: 51_820 });
    const filter = 'address-and-port-dependent';
    const net = new Network(
      { ...home(1, 'endpoint-independent', filter), v6: v6(1) },
      { ...home(2, 'endpoint-independent', filter), v6: v6(2) },
    );
    net.meet();
    net.run(2_000);
    expect(net.kinds()).toEqual(['ipv6', 'ipv6']);
    expect(net.a.core.view(net.now).path?.remote).toBe('[2001:db8::2]:51820');
  });

  it('the upgrade from the relay loses no packet', () => {
    const net = new Network(
      home(1, 'endpoint-independent', 'address-and-port-dependent'),
      home(2, 'endpoint-independent', 'endpoint-independent'),
    );
    net.feed(net.a, { type: 'relay', up: true, host: 'relay.example' });
    net.startTraffic(net.a);
    net.meet();
    net.run(2_000);
    net.a.sending = false;
    net.run(200);
    expect(net.kinds()).toEqual(['direct', 'direct']);
    expect(net.b.received.size).toBe(net.a.dataSent);
  });
});
