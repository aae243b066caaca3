/** Servers on this side of the NAT: a room that is hosted in the LAN, or on this machine. */
import { describe, expect, it } from 'vitest';
import { mappingOf } from '../../../engine/core/nat/classify.ts';
import type { Evidence, MappingEvidence } from '../../../engine/core/nat/evidence.ts';
import { reportOf } from '../../../engine/core/nat/report.ts';

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
