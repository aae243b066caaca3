/** What `netcheck` found, as a card. Pure. */
import pc from 'picocolors';
import type { NetcheckResult } from '../../engine/netcheck.ts';
import type { NatReport } from '../../protocol/nat.ts';
import { printable } from './printable.ts';
import { fit } from './text.ts';
import { milliseconds, NAT_WORDS, NAT64_WORDS, natAdvice } from './words.ts';

const LABEL_COLUMNS = 16;

export function renderNatCard({ nat, servers, stun }: NetcheckResult, colour: boolean): string[] {
  const colours = pc.createColors(colour);
  const row = (label: string, value: string) => `  ${colours.dim(fit(label, LABEL_COLUMNS))}${value}`;
  const lines = [
    colours.bold(`Your NAT: ${NAT_WORDS[nat.type]}`),
    natAdvice(nat),
    ...(nat.nat64 ? [NAT64_WORDS] : []),
    '',
    row('mapping', nat.mapping === 'none' ? 'none: your address is public' : nat.mapping),
    row('filtering', nat.filtering),
    row('ports', portWords(nat.ports)),
    row('public address', nat.publicAddresses.map(printable).join(', ') || 'unknown'),
    row('port mapping', mappingWords(nat.portMapping)),
    row('hairpin', yesNo(nat.hairpin)),
    row('carrier NAT', yesNo(nat.cgnat)),
    row('IPv6', nat.ipv6 ? 'yes' : 'no'),
  ];
  if (nat.nat64) lines.push(row('NAT64', 'yes'));
  const { pinhole } = nat.portMapping;
  if (pinhole) lines.push(row('IPv6 firewall', pinholeWords(pinhole)));
  for (const { url, rttMs, error } of servers) {
    lines.push(
      row('server', `${printable(url)}  ${rttMs === null ? `no answer (${error ?? 'timeout'})` : milliseconds(rttMs)}`),
    );
  }
  for (const { endpoint, rttMs } of stun) {
    lines.push(row('STUN', `${endpoint}  ${rttMs === null ? 'no answer' : milliseconds(rttMs)}`));
  }
  return lines;
}

function yesNo(value: boolean | null): string {
  if (value === null) return 'unknown';
  return value ? 'yes' : 'no';
}

const PROTOCOL_WORDS = { pcp: 'PCP', 'nat-pmp': 'NAT-PMP', upnp: 'UPnP' } as const;

function mappingWords(mapping: NatReport['portMapping']): string {
  switch (mapping.state) {
    case 'off':
      return 'off';
    case 'none':
      return 'no router offers it';
    case 'failed':
      return 'the router refused';
    case 'active': {
      const protocol = mapping.protocol ? ` by ${PROTOCOL_WORDS[mapping.protocol]}` : '';
      const behind = mapping.doubleNat ? ', but another NAT stands outside' : '';
      return `${printable(mapping.external ?? 'open')}${protocol}${behind}`;
    }
  }
}

function pinholeWords({ state, protocol, external }: NonNullable<NatReport['portMapping']['pinhole']>): string {
  if (state === 'failed') return 'the router refused to let Warren in';
  return `lets everyone in to ${printable(external ?? 'Warren')}${protocol ? ` by ${PROTOCOL_WORDS[protocol]}` : ''}`;
}

function portWords(ports: NatReport['ports']): string {
  switch (ports.kind) {
    case 'preserved':
      return 'kept as the application chose them';
    case 'sequential':
      return ports.step == null ? 'one after the other' : `in steps of ${ports.step}`;
    case 'block':
      return ports.low == null || ports.high == null ? 'from a block' : `from the block ${ports.low} to ${ports.high}`;
    case 'random':
      return 'random';
    case 'unknown':
      return 'unknown';
  }
}
