import { describe, expect, it } from 'vitest';
import type { RoomView } from '../../../engine/core/room/contract.ts';
import { Filters } from '../../../engine/filter/filters.ts';
import { parsePolicy } from '../../../engine/filter/policy.ts';
import type { FilterOptions, FilterRules } from '../../../engine/ports.ts';

/** What a device was told. */
class Told {
  everyone: FilterOptions | null = null;
  readonly peers = new Map<number, FilterRules | null>();
  calls = 0;

  setFilter(options: FilterOptions | null): void {
    this.calls++;
    this.everyone = options;
  }
  updatePeer(peer: number, change: { filter?: FilterRules | null }): void {
    this.calls++;
    this.peers.set(peer, change.filter ?? null);
  }
}

const member = (nick: string) => ({
  key: nick,
  nick,
  ipv4: '10.64.0.9',
  ipv6: 'fd00::9',
  proven: true,
  introduced: true,
  blocked: false,
});
const room = (...nicks: string[]): RoomView => ({
  state: 'joined',
  topic: '',
  publicKey: 'own',
  privateKey: new Uint8Array(32),
  nick: 'own',
  ipv4: '10.64.16.3',
  prefixLength: 20,
  ipv6: 'fd00::3',
  server: '',
  members: nicks.map(member),
});
const policy = (text: string) => {
  const result = parsePolicy(text);
  if (!result.ok) throw new Error(result.problem.message);
  return { file: null, policy: result.policy };
};
const ANN_ONLY = '{"rules": [{"action": "accept", "from": ["ann"], "to": ["tcp:25565"]}]}';
const PEERS: Record<string, number> = { ann: 1, bob: 2 };

function start() {
  const device = new Told();
  const filters = new Filters({ device, preset: 'games', policy: null, peerOf: (key) => PEERS[key] });
  return { device, filters };
}

describe('the filters of an engine', () => {
  it('give the device the preset, and what members may send to', () => {
    const { device, filters } = start();
    filters.review(room('ann'));
    expect(device.everyone).toMatchObject({
      otherwise: 'accept',
      destinations: ['10.64.16.3/32', '10.64.31.255/32', 'fd00::3/128'],
      directedBroadcast: '10.64.31.255',
    });
    filters.review(room('ann'));
    expect(device.calls).toBe(1);
    filters.setPreset('closed');
    filters.review(room('ann'));
    expect(device.everyone?.otherwise).toBe('deny');
  });

  it('give each member its own rules under a policy, and a new one nothing before', () => {
    const { device, filters } = start();
    filters.setPolicy(policy(ANN_ONLY));
    filters.review(room('ann', 'bob'));
    expect(device.everyone).toMatchObject({ rules: [], otherwise: 'deny' });
    expect(device.peers.get(1)?.rules).toEqual([{ action: 'accept', protocol: 'tcp', ports: [[25_565, 25_565]] }]);
    expect(device.peers.get(2)?.rules).toEqual([]);
    filters.setPolicy(null);
    filters.review(room('ann', 'bob'));
    expect([...device.peers.values()]).toEqual([null, null]);
  });

  it('keep the last good policy when the file turns bad, and say so', () => {
    const { device, filters } = start();
    filters.setPolicy(policy(ANN_ONLY));
    filters.review(room('ann'));
    filters.refuse({ line: 3, message: 'not JSON' });
    filters.review(room('ann'));
    expect(device.peers.get(1)?.rules).toHaveLength(1);
    expect(filters.view().policy).toMatchObject({ rules: 1, problem: { line: 3 } });
  });

  it('open one thing for one member, until it is closed again', () => {
    const { device, filters } = start();
    filters.setPreset('closed');
    const close = filters.open('ann', { action: 'accept', protocol: 'tcp', ports: [[40_000, 40_000]] });
    filters.review(room('ann', 'bob'));
    expect(device.peers.get(1)).toMatchObject({ rules: [{ ports: [[40_000, 40_000]] }], otherwise: 'deny' });
    expect(device.peers.has(2)).toBe(false);
    close();
    filters.review(room('ann', 'bob'));
    expect(device.peers.get(1)).toBeNull();
  });

  it('tell what a member may open', () => {
    const { filters } = start();
    filters.setPolicy(policy(ANN_ONLY));
    expect(filters.access(member('ann'), 4)).toEqual({ tcp: [[25_565, 25_565]], udp: [], ping: false, filtered: 4 });
  });
});
