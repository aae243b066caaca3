/** Servers on this side of the NAT: a room that is hosted in the LAN, or on this machine. */
import { describe, expect, it } from 'vitest';
import { mappingOf } from '../../../engine/core/nat/classify.ts';
import type { Evidence, MappingEvidence } from '../../../engine/core/nat/evidence.ts';
import { reportOf } from '../../../engine/core/nat/report.ts';
import { Nat } from '../peer/network.ts';
import { type ServerKind, StunNetwork } from './stun-network.ts';

const OWN = '192.168.1.10';

function seeing(ip: string, port = 4_000): MappingEvidence {
  const seen = { ip, port };
  return { primary: seen, again: seen, secondPort: seen, alternate: 'untested', moved: null, unsteady: false };
}

function evidence(servers: MappingEvidence[], plain: string): Evidence {
  return {
    servers,
    filter: { plain: { ip: plain, port: 5_000 }, changePort: 'answered', changeBoth: 'answered' },
    hairpin: null,
    fresh: [],
    localAddresses: [OWN, '100.64.3.4'],
    mainPort: 4_000,
    secondPort: 5_000,
    blocked: false,
  };
}

describe('a server on this side of the NAT', () => {
  it.each([OWN, '127.0.0.1', '100.64.3.4'])('that sees us as %s says nothing of the NAT', (ip) => {
    const report = reportOf(evidence([seeing(ip)], ip), 4, null);
    expect(report).toMatchObject({ mapping: 'unknown', filtering: 'unknown', type: 'unknown', publicAddresses: [] });
    expect(report.ports.kind).toBe('unknown');
  });

  it('does not make a second mapping of what a server outside sees', () => {
    const both = evidence([seeing(OWN), seeing('203.0.113.1', 7_000)], '203.0.113.1');
    expect(mappingOf(both)).toBe('endpoint-independent');
    expect(reportOf(both, 4, null).publicAddresses).toEqual(['203.0.113.1']);
  });
});

it('a host with a public address is open, whoever says so', () => {
  const open = { ...evidence([seeing('203.0.113.50')], '203.0.113.50'), localAddresses: ['203.0.113.50'] };
  expect(reportOf(open, 4, null)).toMatchObject({ mapping: 'none', type: 'open' });
});

describe('a server in this LAN beside one outside', () => {
  const LAN_SERVER = '192.168.1.20';
  const OUTSIDE = '198.51.100.2';

  const beside = (nat: Nat, kind: ServerKind = 'two-addresses') => {
    const net = new StunNetwork(nat);
    net.feed({ type: 'servers', servers: [net.server(LAN_SERVER, 'two-addresses'), net.server(OUTSIDE, kind)] });
    net.run(4_000);
    return net;
  };

  it('leaves the test of the filter to the other', () => {
    const nat = new Nat('203.0.113.1', 'endpoint-independent', 'address-and-port-dependent');
    expect(beside(nat).last).toMatchObject({ filtering: 'address-and-port-dependent', type: 'NAT3' });
  });

  it('does not make a hairpin of what never left the LAN', () => {
    const nat = new Nat('203.0.113.1', 'endpoint-independent', 'address-and-port-dependent');
    expect(beside(nat).last.hairpin).toBe(false);
  });

  it('is not asked how the NAT draws ports', () => {
    const nat = new Nat('203.0.113.1', 'address-and-port-dependent', 'address-and-port-dependent');
    expect(beside(nat).last.ports).toMatchObject({ kind: 'sequential', step: 7 });
  });

  it('is named to nobody who measures the NAT, nor asked whether the mapping moved', () => {
    const nat = new Nat('203.0.113.1', 'endpoint-independent', 'address-and-port-dependent');
    const net = beside(nat);
    expect([net.core.answering(0)?.ip, net.core.answering(1)?.ip]).toEqual([OUTSIDE, OUTSIDE]);
    net.sent.length = 0;
    net.feed({ type: 'watch', on: true });
    net.run(60_000);
    expect(new Set(net.sent.map(({ to }) => to.ip))).toEqual(new Set([OUTSIDE]));
  });

  it('is no second address to compare with', () => {
    const nat = new Nat('203.0.113.1', 'endpoint-independent', 'address-and-port-dependent');
    expect(beside(nat, 'one-address').core.comparesAddresses()).toBe(false);
  });
});

it('a server in this LAN alone cannot tell for how long a mapping lives, and is not asked again and again', () => {
  const net = new StunNetwork(new Nat('203.0.113.1', 'endpoint-independent', 'address-and-port-dependent'));
  net.feed({ type: 'servers', servers: [net.server('192.168.1.20', 'two-addresses')] });
  net.run(4_000);
  expect(net.core.answering()).toBeNull();
  net.sent.length = 0;
  net.run(600_000);
  expect(net.sent).toEqual([]);
});
