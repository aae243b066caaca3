/** Keeps the device's filter as the preset or the policy says, for everyone in the room. */
import ipaddr from 'ipaddr.js';
import type { FilterPreset, FilterView, MemberAccess } from '../../protocol/filter.ts';
import type { RoomMemberView, RoomView } from '../core/room/contract.ts';
import type { DevicePort, FilterOptions, FilterRule, FilterRules, PeerId } from '../ports.ts';
import { evaluate, openPorts } from './evaluate.ts';
import { type Policy, type PolicyProblem, rulesFor } from './policy.ts';
import { PRESET_RULES } from './presets.ts';

export interface LoadedPolicy {
  file: string | null;
  policy: Policy;
}

export interface FiltersOptions {
  device: Pick<DevicePort, 'setFilter' | 'updatePeer'>;
  preset: FilterPreset;
  policy: LoadedPolicy | null;
  /** The device's peer of an installed member. */
  peerOf(key: string): PeerId | undefined;
}

/** Nobody is known before the policy has looked at it. */
const NOBODY: FilterRules = { rules: [], otherwise: 'deny' };

export class Filters {
  readonly #options: FiltersOptions;
  #preset: FilterPreset;
  #policy: LoadedPolicy | null;
  #problem: PolicyProblem | null = null;
  /** As last given to the device, to skip repetitions: the rules for everyone, and this host's place in the room. */
  #given: { rules: FilterRules; place: string } | null = null;
  readonly #givenTo = new Map<string, { peer: PeerId; rules: string }>();
  /** Rules before all others, by member: what this host offers to that one alone. */
  readonly #holes = new Map<string, Set<FilterRule>>();

  constructor(options: FiltersOptions) {
    this.#options = options;
    this.#preset = options.preset;
    this.#policy = options.policy;
  }

  setPreset(preset: FilterPreset): void {
    this.#preset = preset;
  }

  /** Null: the preset again. */
  setPolicy(policy: LoadedPolicy | null): void {
    this.#policy = policy;
    this.#problem = null;
  }

  /** The file as it is now cannot be used; the last good policy stays in force. */
  refuse(problem: PolicyProblem): void {
    this.#problem = problem;
  }

  /** Lets one member reach one thing whatever the rules say, until the result is called. `review` makes it so. */
  open(key: string, rule: FilterRule): () => void {
    const holes = this.#holes.get(key) ?? new Set();
    this.#holes.set(key, holes.add(rule));
    return () => {
      holes.delete(rule);
      if (holes.size === 0 && this.#holes.get(key) === holes) this.#holes.delete(key);
    };
  }

  view(): FilterView {
    const policy = this.#policy;
    return {
      preset: this.#preset,
      policy: policy && {
        file: policy.file,
        rules: policy.policy.rules.length,
        tests: policy.policy.tests.length,
        problem: this.#problem,
      },
    };
  }

  access(member: RoomMemberView, filtered: number): MemberAccess {
    return { ...openTo(this.#rulesOf(member)), filtered };
  }

  /** After anything that the rules depend on: tells the device what is new. */
  review(room: RoomView): void {
    const { device, peerOf } = this.#options;
    const rules = this.#everyone();
    const place = `${room.ipv4} ${room.prefixLength} ${room.ipv6}`;
    if (rules !== this.#given?.rules || place !== this.#given.place) {
      device.setFilter({ ...rules, ...destinationsOf(room) });
      this.#given = { rules, place };
    }
    const present = new Set<string>();
    for (const member of room.members) {
      const peer = peerOf(member.key);
      if (peer === undefined) continue;
      present.add(member.key);
      this.#give(member, peer);
    }
    for (const key of this.#givenTo.keys()) if (!present.has(key)) this.#givenTo.delete(key);
  }

  #give(member: RoomMemberView, peer: PeerId): void {
    const rules = this.#policy || this.#holes.has(member.key) ? this.#rulesOf(member) : null;
    const text = JSON.stringify(rules);
    const given = this.#givenTo.get(member.key);
    // A peer that is new to the device has none of its own.
    if (text === (given?.peer === peer ? given.rules : 'null')) return;
    this.#options.device.updatePeer(peer, { filter: rules });
    this.#givenTo.set(member.key, { peer, rules: text });
  }

  #everyone(): FilterRules {
    return this.#policy ? NOBODY : PRESET_RULES[this.#preset];
  }

  #rulesOf(member: RoomMemberView): FilterRules {
    const all = this.#policy ? rulesFor(this.#policy.policy, member) : PRESET_RULES[this.#preset];
    const holes = this.#holes.get(member.key);
    return holes === undefined ? all : { rules: [...holes, ...all.rules], otherwise: all.otherwise };
  }
}

type Open = Omit<MemberAccess, 'filtered'>;

/** What the presets leave open: every snapshot shows it for every member. */
const OPEN = new WeakMap<FilterRules, Open>();

function openTo(rules: FilterRules): Open {
  const known = OPEN.get(rules);
  if (known !== undefined) return known;
  const open = { tcp: openPorts(rules, 'tcp'), udp: openPorts(rules, 'udp'), ping: evaluate(rules, 'icmp').accept };
  OPEN.set(rules, open);
  return open;
}

/** Members may send to this host, not to what lies behind it. */
function destinationsOf({
  ipv4,
  prefixLength,
  ipv6,
}: RoomView): Pick<FilterOptions, 'destinations' | 'directedBroadcast'> {
  if (ipv4 === null) return { destinations: [`${ipv6}/128`] };
  const directedBroadcast = ipaddr.IPv4.broadcastAddressFromCIDR(`${ipv4}/${prefixLength}`).toString();
  return { destinations: [`${ipv4}/32`, `${directedBroadcast}/32`, `${ipv6}/128`], directedBroadcast };
}
