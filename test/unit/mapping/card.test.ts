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
    expect(card.find((line) => /^ +port mapping/.test(line))?.trimEnd()).toMatch(new RegExp(`mapping {2,}${words}$`));
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

  it('advises what can help here, and nothing that is done or cannot', () => {
    const nat = symmetric({ state: 'none' });
    expect(natAdvice(nat)).toMatch(/UPnP.*full cone.*IPv6/);
    expect(natAdvice({ ...nat, ipv6: true })).not.toContain('IPv6');
    expect(natAdvice(symmetric({ state: 'off' }))).toContain('warren set port-mapping on');
    for (const beyond of [{ cgnat: true }, { nat64: true }]) {
      expect(natAdvice({ ...nat, ...beyond })).toMatch(/^(?!.*UPnP).*provider/);
    }
    const doubled = symmetric({ state: 'active', protocol: 'upnp', external, doubleNat: true });
    expect(natAdvice(doubled)).toMatch(/^(?!.*UPnP).*bridge/);
    expect(natAdvice({ ...doubled, type: 'NAT3', mapping: 'endpoint-independent' })).toContain('bridge');
    expect(natAdvice({ ...nat, type: 'NAT3', mapping: 'none' })).toMatch(/^(?!.*UPnP).*firewall/);
  });

  it('promises that everyone can come in only where that is so', () => {
    const active = { state: 'active', protocol: 'pcp', external } as const;
    expect(natAdvice(symmetric({ ...active, doubleNat: false }))).toContain('everyone can reach you');
    expect(natAdvice(symmetric({ ...active, doubleNat: true }))).not.toContain('everyone can reach you');
  });
});
