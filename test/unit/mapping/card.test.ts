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

  it('promises that everyone can come in only where that is so', () => {
    const active = { state: 'active', protocol: 'pcp', external } as const;
    expect(natAdvice(symmetric({ ...active, doubleNat: false }))).toContain('everyone can reach you');
    expect(natAdvice(symmetric({ ...active, doubleNat: true }))).not.toContain('everyone can reach you');
  });
});
