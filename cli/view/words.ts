/** Closed codes in words a player understands. */
import type { PathKind, RelayReason, Snapshot } from '../../protocol/app.ts';
import type { DiscoveryView, DiscoveryWay } from '../../protocol/discovery.ts';
import type { FilterPreset, FilterView } from '../../protocol/filter.ts';
import type { LongShotAdvice, LongShotEnd } from '../../protocol/long-shot.ts';
import type { NatReport, NatType } from '../../protocol/nat.ts';
import type { AttemptStrategy } from '../../protocol/punch.ts';

export const PATH_WORDS: Record<PathKind, string> = {
  lan: 'LAN',
  ipv6: 'IPv6',
  direct: 'direct',
  'peer-relay': 'via friend',
  turn: 'relay (UDP)',
  relay: 'relay',
};

/** Paths on which no server forwards the packets. */
export function isDirect(kind: PathKind): boolean {
  return kind === 'lan' || kind === 'ipv6' || kind === 'direct';
}

export const REASON_WORDS: Record<RelayReason, string> = {
  connecting: 'looking for a direct path',
  'relay-only': 'you asked for the relay only',
  'udp-blocked-here': 'your network blocks UDP',
  'udp-blocked-there': 'their network blocks UDP',
  'hard-nat-pair': 'a strict NAT is in the way; port mapping or IPv6 helps',
  'one-way': 'they hear us, but their NAT answers from another port',
  'gave-up': 'every way was tried; again when a network changes',
  'no-answer': 'no direct path answered; trying again now and then',
  'no-candidates': 'no address to try yet',
  'path-lost': 'the direct path died; looking for another',
  'no-hairpin': 'same public address, whose NAT keeps neighbours apart',
  'hard-nat-off': 'NAT4 punching is off (warren set hard-nat on)',
  budget: 'paused, to spare your router',
};

/** What a punch does; one of a later engine is called by its name. */
export const PUNCH_WORDS: Readonly<Record<string, string>> = {
  'simultaneous-open': 'knocking from both sides',
  birthday: 'guessing the port',
  bracket: 'counting its ports',
  crossing: 'counting on both sides',
  ambush: 'waiting for its count',
  'long-shot': 'the long shot',
} satisfies Record<AttemptStrategy | 'simultaneous-open', string>;

export const LONG_SHOT_ADVICE_WORDS: Record<LongShotAdvice, string> = {
  ipv6: 'IPv6 on both sides: ask your providers',
  'port-mapping-here': 'UPnP, NAT-PMP or PCP switched on in your router',
  'port-mapping-there': 'the same in their router: one of the two is enough',
};

export const LONG_SHOT_END_WORDS: Record<LongShotEnd, string> = {
  direct: 'it hit',
  exhausted: 'no hit',
  stopped: 'stopped',
  declined: 'they said no',
  expired: 'nobody answered within a minute',
  withdrawn: 'taken back',
  off: 'NAT4 punching is off, here or there',
  budget: 'a router still keeps what the last one opened; two minutes help',
  busy: 'another one was under way there',
  unreachable: 'they could not be reached',
};

export const NAT_WORDS: Record<NatType, string> = {
  open: 'open (no NAT)',
  NAT1: 'NAT1 (full cone)',
  NAT2: 'NAT2 (address-restricted)',
  NAT3: 'NAT3 (port-restricted)',
  NAT4: 'NAT4 (symmetric)',
  'udp-blocked': 'UDP blocked',
  unknown: 'not measured yet',
};

/** What the NAT means for playing, and what would help, best first: one sentence. */
export function natAdvice(nat: NatReport): string {
  if (nat.portMapping.state === 'active' && !nat.portMapping.doubleNat && nat.type !== 'udp-blocked') {
    return 'Your router opened a port for Warren: everyone can reach you directly.';
  }
  switch (nat.type) {
    case 'open':
    case 'NAT1':
      return 'Everyone can reach you directly.';
    case 'NAT2':
      return 'Direct with nearly everyone; nothing to do.';
    case 'NAT3':
      return nat.mapping === 'none'
        ? 'Your address is public, but a firewall keeps strangers out: let UDP for Warren in through it.'
        : `Direct with nearly everyone; against a NAT4 ports are guessed. To spare that, ${remedies(nat)}.`;
    case 'NAT4':
      return `Your NAT gives a new port for every destination: ${remedies(nat)}.`;
    case 'udp-blocked':
      return 'Nothing but the relay works here: allow UDP in the firewall, or try another network.';
    case 'unknown':
      return 'Too few answers have come to tell what your NAT is like; games work all the same, over the relay if need be.';
  }
}

/** What opens a NAT: first what is a command away, then what the player's own router can do, unless a second NAT undoes it. */
function remedies({ portMapping, cgnat, nat64, ipv6 }: NatReport): string {
  const orIpv6 = ipv6 ? '' : ', or use IPv6';
  if (cgnat === true || nat64 === true) return `ask your provider for a public address${orIpv6}`;
  if (portMapping.state === 'off') return `switch port mapping on (warren set port-mapping on)${orIpv6}`;
  if (portMapping.doubleNat === true) return `set the outer of your two routers to bridge mode${orIpv6}`;
  return ipv6
    ? 'turn on UPnP in the router or set it to full cone'
    : 'turn on UPnP in the router, set it to full cone, or use IPv6';
}

export const NAT64_WORDS =
  "Your network has IPv6 only: friends with IPv4 are reached through your provider's translator (NAT64).";

export const STATE_WORDS: Record<Snapshot['state'], string> = {
  off: 'off',
  joining: 'joining',
  joined: 'joined',
  reconnecting: 'server lost, reconnecting (connected friends stay)',
};

const NOTICE_WORDS: Record<string, string> = {
  'wrong-password': 'others use this network name with another password',
  'failed-guess': 'someone tried a wrong password for this room',
  'nick-taken': 'two members use the same nickname',
  'known-nick-new-key': 'a known nickname comes from a new machine',
  'address-moved': 'a virtual address had to change',
  'address-conflict': 'a virtual address collides with your own network',
  flood: 'a program there calls everybody without a pause; only a part of it is let through',
  'server-unreachable': 'the rendezvous server does not answer',
  'server-back': 'the rendezvous server is back',
  disk: 'the room could not be saved on disk',
};

export function noticeWords(code: string, nick: string | undefined): string {
  const words = NOTICE_WORDS[code] ?? code;
  return nick === undefined ? words : `${words}: ${nick}`;
}

/** Milliseconds as a person reads them; a dash while unknown. */
export function milliseconds(value: number | null | undefined): string {
  if (value === null || value === undefined) return '-';
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}

export function percent(value: number | null | undefined): string {
  if (value === null || value === undefined) return '-';
  return value > 0 && value < 1 ? '<1 %' : `${Math.round(value)} %`;
}

const PRESET_WORDS: Record<FilterPreset, string> = {
  games: 'games (all but SSH, Windows shares, remote desktop)',
  open: 'everything',
  closed: 'nothing',
};

/** What members may begin on this machine. */
export function filterWords({ preset, policy }: FilterView): string {
  if (policy === null) return PRESET_WORDS[preset];
  const where = policy.file ?? 'a policy file';
  const problem =
    policy.problem && `; it was changed and is not used: line ${policy.problem.line}, ${policy.problem.message}`;
  return `what ${where} says (${policy.rules} rules)${problem ?? ''}`;
}

type DiscoveryCounts = Pick<DiscoveryView, 'rateLimited' | 'duplicates' | 'loops'>;

/** Datagrams to everybody that were not carried. */
export function heldBack({ rateLimited, duplicates, loops }: DiscoveryCounts): number {
  return rateLimited + duplicates + loops;
}

/** Empty when there were none. */
export function heldBackWords(counts: DiscoveryCounts): string {
  const { rateLimited, duplicates, loops } = counts;
  if (heldBack(counts) === 0) return '';
  return `; held back: ${rateLimited} too many at once, ${duplicates} twice, ${loops} echoes`;
}

/** How games' calls get into the room from here, and what that costs. */
export const DISCOVERY_WAY_WORDS: Record<DiscoveryWay, string> = {
  off: 'switched off: `warren set discovery on`',
  'no-interface': 'no interface (--no-tun): games on this machine hear nobody',
  copies: 'calls of games are copied into the room; the home network stays as it is',
  metric:
    'calls of games go into the room first: programs that search the home network by broadcast may find nothing there',
  routes:
    'calls of games go into the room alone: programs that search the home network by broadcast find nothing there; with CAP_NET_RAW they would be copied',
};
