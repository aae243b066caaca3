import { describe, expect, it } from 'vitest';
import { type ReasonFacts, relayReason } from '../../../engine/core/peer/reason.ts';
import { type NatReport, UNKNOWN_NAT } from '../../../protocol/nat.ts';

const nat = (change: Partial<NatReport> = {}): NatReport => ({
  ...UNKNOWN_NAT,
  mapping: 'endpoint-independent',
  filtering: 'address-and-port-dependent',
  type: 'NAT3',
  hairpin: false,
  publicAddresses: ['203.0.113.7'],
  ...change,
});
const reason = (ownNat: NatReport, theirNat: NatReport, change: Partial<ReasonFacts> = {}) =>
  relayReason({
    direct: false,
    relayOnly: false,
    ownNat,
    theirNat,
    theirCandidates: 3,
    pairs: 3,
    oneWay: false,
    hadDirect: false,
    checkedForMs: 60_000,
    ...change,
  });

describe('two behind one public address', () => {
  it('are told that it turns nothing back, by what either of them measured', () => {
    expect(reason(nat(), nat())).toBe('no-hairpin');
    expect(reason(nat({ hairpin: null }), nat())).toBe('no-hairpin');
  });

  it('are not told so while nobody knows, where it does, or behind different addresses', () => {
    expect(reason(nat({ hairpin: null }), nat({ hairpin: null }))).toBe('no-answer');
    expect(reason(nat({ hairpin: true }), nat({ hairpin: true }))).toBe('no-answer');
    expect(reason(nat(), nat({ publicAddresses: ['203.0.113.8'] }))).toBe('no-answer');
    expect(reason(nat({ publicAddresses: [] }), nat({ publicAddresses: [] }))).toBe('no-answer');
  });

  it('hear first what is plainer', () => {
    expect(reason(nat(), nat(), { checkedForMs: 100 })).toBe('connecting');
    expect(reason(nat({ type: 'udp-blocked' }), nat())).toBe('udp-blocked-here');
    expect(reason(nat(), nat(), { direct: true })).toBeNull();
  });
});
