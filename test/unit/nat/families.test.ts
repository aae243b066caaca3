/** One report of two families. */
import { describe, expect, it } from 'vitest';
import { joinFamilies } from '../../../engine/core/nat/report.ts';
import { type NatReport, UNKNOWN_NAT } from '../../../protocol/nat.ts';

const V6: NatReport = {
  ...UNKNOWN_NAT,
  mapping: 'none',
  filtering: 'address-and-port-dependent',
  type: 'NAT3',
  cgnat: false,
  publicAddresses: ['2001:db8::5'],
  ipv6: true,
};

describe('the report of a host with IPv4 and IPv6', () => {
  it('is that of IPv4, and says that IPv6 leads out', () => {
    const v4: NatReport = {
      ...UNKNOWN_NAT,
      mapping: 'endpoint-independent',
      type: 'NAT1',
      publicAddresses: ['203.0.113.1'],
    };
    expect(joinFamilies(v4, V6)).toEqual({ ...v4, ipv6: true, publicAddresses: ['203.0.113.1', '2001:db8::5'] });
  });

  it('leaves open what IPv4 leaves open, although IPv6 has no NAT', () => {
    const v4: NatReport = { ...UNKNOWN_NAT, publicAddresses: ['203.0.113.1'] };
    expect(joinFamilies(v4, V6)).toMatchObject({ mapping: 'unknown', type: 'unknown', cgnat: null, ipv6: true });
  });

  it('is that of IPv6 where IPv4 leads nowhere', () => {
    expect(joinFamilies(UNKNOWN_NAT, V6)).toEqual(V6);
    expect(joinFamilies({ ...UNKNOWN_NAT, type: 'udp-blocked' }, V6)).toEqual(V6);
    expect(joinFamilies(undefined, V6)).toEqual(V6);
  });

  it('is that of IPv4 where IPv6 leads nowhere', () => {
    const blocked: NatReport = { ...UNKNOWN_NAT, type: 'udp-blocked' };
    expect(joinFamilies(blocked, UNKNOWN_NAT)).toEqual(blocked);
    expect(joinFamilies(undefined, undefined)).toEqual(UNKNOWN_NAT);
  });
});
