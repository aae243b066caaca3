/** What would help a network, ranked: what costs the least and helps the most first. Pure. */
import type { Snapshot } from '../../../protocol/app.ts';
import type { NatReport } from '../../../protocol/nat.ts';

export type Advice =
  | 'hotspot'
  | 'firewall'
  | 'portMapping'
  | 'bridge'
  | 'upnp'
  | 'hardNat'
  | 'carrier'
  | 'ipv6'
  | 'fullCone'
  | 'dmz';

/** Null: not enough is known to advise. */
export function adviceFor(nat: NatReport, settings: Snapshot['settings']): readonly Advice[] | null {
  if (nat.type === 'unknown') return null;
  if (nat.type === 'open') return [];
  if (nat.type === 'udp-blocked') return ['hotspot'];
  const { portMapping, ipv6 } = nat;
  // A port that is open to everyone is as good as a full cone.
  const open =
    nat.type === 'NAT1' || (portMapping.state === 'active' && portMapping.doubleNat !== true && nat.cgnat !== true);
  if (open) return ipv6 ? [] : ['ipv6'];
  // Without a NAT nothing but a firewall is in the way, the PC's or the network's.
  if (nat.mapping === 'none') return ipv6 ? ['firewall'] : ['firewall', 'ipv6'];
  const off = !settings.portMapping || portMapping.state === 'off';
  const doubled = portMapping.doubleNat === true;
  // A NAT64 is the provider's, as a carrier's NAT is: nothing in the own router changes it.
  const carrier = nat.cgnat === true || nat.nat64 === true;
  const wanted: [Advice, boolean][] = [
    ['portMapping', off],
    ['hardNat', !settings.hardNat],
    ['upnp', !off && portMapping.state !== 'active' && nat.nat64 !== true],
    ['bridge', doubled && !carrier],
    ['ipv6', !ipv6],
    ['carrier', carrier],
    ['fullCone', !carrier],
    ['dmz', !carrier && !doubled],
  ];
  return wanted.flatMap(([advice, fits]) => (fits ? [advice] : []));
}
