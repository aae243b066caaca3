import { describe, expect, it } from 'vitest';
import { adviceFor } from '../../../renderer/features/network/advice.ts';
import { NETWORKS } from '../../e2e/fixtures/networks.ts';

const ON = { portMapping: true, hardNat: true, relayOnly: false, discovery: true };

describe('advice', () => {
  it('is none while nothing is known, and nothing to do in the open', () => {
    expect(adviceFor(NETWORKS.unknown, ON)).toBeNull();
    expect(adviceFor(NETWORKS.open, ON)).toEqual([]);
  });

  it('is another network where UDP is blocked', () => {
    expect(adviceFor(NETWORKS.udpBlocked, ON)).toEqual(['hotspot']);
  });

  it('is the firewall where there is no NAT, and no router setting', () => {
    const nat = { ...NETWORKS.open, filtering: 'address-and-port-dependent', type: 'NAT3' } as const;
    expect(adviceFor({ ...nat, ipv6: true }, ON)).toEqual(['firewall']);
    expect(adviceFor({ ...nat, ipv6: false }, ON)).toEqual(['firewall', 'ipv6']);
  });

  it('begins with what one click can do', () => {
    const advice = adviceFor(NETWORKS.symmetricRandom, { ...ON, portMapping: false, hardNat: false });
    expect(advice?.slice(0, 2)).toEqual(['portMapping', 'hardNat']);
  });

  it('is UPnP first where the router does not answer', () => {
    expect(adviceFor(NETWORKS.symmetricUnknown, ON)?.[0]).toBe('upnp');
  });

  it('is the carrier, and no router setting that cannot help, behind CGNAT', () => {
    const advice = adviceFor(NETWORKS.symmetricRandom, ON);
    expect(advice).toContain('carrier');
    expect(advice).not.toContain('dmz');
    expect(advice).not.toContain('fullCone');
  });

  it('is the carrier behind a NAT64 too, which is no router of the player’s', () => {
    expect(adviceFor(NETWORKS.nat64, ON)).toEqual(['carrier']);
  });

  it('does not take a port that opens onto a second NAT for an open one', () => {
    const nat = {
      ...NETWORKS.addressRestricted,
      portMapping: { ...NETWORKS.addressRestricted.portMapping, doubleNat: true },
    };
    expect(adviceFor(nat, ON)).toContain('bridge');
    expect(adviceFor(NETWORKS.addressRestricted, ON)).toEqual([]);
  });
});
