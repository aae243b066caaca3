import { describe, expect, it } from 'vitest';
import { renderNatCard } from '../../../cli/view/nat-card.ts';
import { natAdvice } from '../../../cli/view/words.ts';
import { type NatReport, UNKNOWN_NAT } from '../../../protocol/nat.ts';

const external = '81.2.69.10:4000';
const symmetric = (portMapping: NatReport['portMapping']): NatReport => ({ ...UNKNOWN_NAT, type: 'NAT4', portMapping });

describe('what a person reads of the mapping', () => {
  it.for<[NatReport['portMapping'], string]>([
    [{ state: 'off' }, 'off'],
    [{ state: 'none' }, 'no router offers it'],
    [{ state: 'failed' }, 'the router refused'],
    [{ state: 'active', protocol: 'nat-pmp', external, doubleNat: false }, `${external} by NAT-PMP`],
    [
      { state: 'active', protocol: 'upnp', external, doubleNat: true },
      `${external} by UPnP, but another NAT stands outside`,
    ],
  ])('%j: %s', ([mapping, words]) => {
    const card = renderNatCard({ nat: symmetric(mapping), servers: [], stun: [] }, false);
    expect(card.find((line) => line.includes('port mapping'))?.trimEnd()).toMatch(new RegExp(`mapping {2,}${words}$`));
  });

  it('names the IPv6 firewall where it was asked', () => {
    const words = (portMapping: NatReport['portMapping']) =>
      renderNatCard({ nat: symmetric(portMapping), servers: [], stun: [] }, false).find((line) =>
        line.includes('IPv6 firewall'),
      );
    const pinhole = { state: 'active', protocol: 'pcp', external: '[2001:db8:1::2]:4000' } as const;
    expect(words({ state: 'none' })).toBeUndefined();
    expect(words({ state: 'none', pinhole })).toContain('lets everyone in to [2001:db8:1::2]:4000 by PCP');
    expect(words({ state: 'none', pinhole: { state: 'failed' } })).toContain('refused');
  });

  it('says that IPv4 goes through a translator where it does', () => {
    const card = (nat64: boolean) =>
      renderNatCard({ nat: { ...symmetric({ state: 'none' }), nat64 }, servers: [], stun: [] }, false).join('\n');
    expect(card(true)).toMatch(/IPv6 only: .*NAT64\)[^]*NAT64 +yes/);
    expect(card(false)).not.toContain('NAT64');
  });

  it('promises that everyone can come in only where that is so', () => {
    const active = { state: 'active', protocol: 'pcp', external } as const;
    expect(natAdvice(symmetric({ ...active, doubleNat: false }))).toContain('everyone can reach you');
    expect(natAdvice(symmetric({ ...active, doubleNat: true }))).not.toContain('everyone can reach you');
  });
});
