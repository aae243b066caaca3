/** One client's punches in virtual time: members that become direct only by a test's word, a device that only counts. */
import { Budget } from '../../../engine/core/budget.ts';
import type { PeerView } from '../../../engine/core/peer/contract.ts';
import { createPeer } from '../../../engine/core/peer/peer.ts';
import { LongShots } from '../../../engine/long-shots.ts';
import type { Member } from '../../../engine/member.ts';
import type { DevicePort } from '../../../engine/ports.ts';
import { Punches } from '../../../engine/punches.ts';
import { Waker } from '../../../engine/wake.ts';
import { type NatReport, UNKNOWN_NAT } from '../../../protocol/nat.ts';
import type { PunchMessage } from '../../../protocol/punch.ts';
import { createRandom } from '../../sim/core/random.ts';
import { Timeline } from '../../sim/core/timeline.ts';

export const EASY: NatReport = {
  ...UNKNOWN_NAT,
  mapping: 'endpoint-independent',
  filtering: 'address-and-port-dependent',
  type: 'NAT3',
  ports: { kind: 'preserved' },
};
export const RANDOM: NatReport = {
  ...EASY,
  mapping: 'address-and-port-dependent',
  type: 'NAT4',
  ports: { kind: 'random', low: 1_024, high: 65_535 },
};
export const COUNTER: NatReport = { ...RANDOM, ports: { kind: 'sequential', step: 1, low: 5_000, high: 5_009 } };

export class Client {
  readonly timeline = new Timeline();
  readonly sent: { at: number; to: string; message: PunchMessage }[] = [];
  readonly pings: { at: number; socket: number; remote: string }[] = [];
  readonly open = new Set<number>();
  readonly punches: Punches;
  readonly longShots: LongShots;
  readonly budget = new Budget();
  settings = { hardNat: true, relayOnly: false };
  /** Members to whom a direct path stands. */
  readonly direct = new Set<string>();
  /** Sockets of those paths; 0 where none is named. They need not be in use. */
  readonly directBy = new Map<string, number>();
  readonly #members = new Map<string, Member>();
  readonly #nat: NatReport;
  #nextSocket = 2;

  constructor(nat: NatReport) {
    this.#nat = nat;
    const { timeline, budget } = this;
    const random = createRandom('client');
    const device: Pick<DevicePort, 'openSockets' | 'closeSockets' | 'send'> = {
      openSockets: (count) =>
        Array.from({ length: count }, () => {
          this.open.add(this.#nextSocket);
          return { id: this.#nextSocket, family: 4 as const, port: 40_000 + this.#nextSocket++ };
        }),
      closeSockets: (ids) => ids.forEach((id) => this.open.delete(id)),
      send: (socket, to) => {
        this.#left(socket, to);
        return true;
      },
    };
    const clock = {
      now: () => timeline.now(),
      epoch: () => timeline.now(),
      at: (at: number, run: () => void) => timeline.at(at, run),
    };
    this.punches = new Punches({
      clock,
      random: (length) => random.bytes(length),
      device,
      budget,
      members: {
        all: () => this.#members,
        get: (key) => this.#members.get(key),
        event: () => {},
        punch: (_key, via) => {
          if (!budget.take(timeline.now())) return false;
          budget.sent(timeline.now(), via.socket, via.remote, nat !== EASY);
          this.#left(via.socket, via.remote);
          return true;
        },
      },
      ownKey: 'm',
      log: () => {},
      nat: () => this.#nat,
      dependentMappings: () => nat !== EASY,
      settled: () => true,
      answering: () => ({ ip: '203.0.113.1', port: 3_478 }),
      settings: () => this.settings,
      post: (work) => work(),
      send: (to, message) => this.sent.push({ at: timeline.now(), to, message }),
      changed: () => {},
    });
    this.longShots = new LongShots({
      clock,
      random: (length) => random.bytes(length),
      budget,
      members: { all: () => this.#members, get: (key) => this.#members.get(key) },
      punches: this.punches,
      ownKey: 'm',
      nat: () => this.#nat,
      settings: () => this.settings,
      send: (to, message) => this.sent.push({ at: timeline.now(), to, message }),
      changed: () => {},
    });
  }

  /** As the engine hands a member's message on. */
  hears(key: string, message: PunchMessage): void {
    if (!this.longShots.message(key, message)) this.punches.message(key, message);
  }

  /** A member who has told its report and its public endpoint. */
  join(key: string, nat: NatReport, proven = true): void {
    const core = createPeer({ lower: key > 'm', relayOnly: false, families: [4] });
    const candidates = [{ kind: 'reflexive' as const, ip: '198.51.100.7', port: 7_000 }];
    core.handle(0, { type: 'message', message: { t: 'candidates', revision: 1, candidates, nat } });
    const direct = () => this.direct.has(key);
    const view = (now: number): PeerView => ({ ...core.view(now), direct: direct() });
    const clock = { now: () => 0, epoch: () => 0, at: () => () => {} };
    this.#members.set(key, {
      key,
      id: 1,
      core: {
        ...core,
        view,
        sockets: () => [],
        direct,
        directSocket: () => (direct() ? (this.directBy.get(key) ?? 0) : null),
        nat: () => core.nat(),
        endpoints: () => core.endpoints(),
        bothDependent: () => false,
        handle: () => [],
        nextSeq: () => 1,
      },
      waker: new Waker(clock, () => {}),
      early: null,
      routes: [{ server: 0, member: key }],
      proven,
      path: { kind: 'external' },
      duplicate: null,
      sampled: { txPackets: 0, rxPackets: 0 },
      rxBytes: 0,
      txBytes: 0,
      filtered: 0,
      broadcasts: { received: 0, dropped: 0 },
      lastHandshakeAt: 0,
      aliveToldAt: 0,
      heardAt: 0,
      localGiven: '',
      timeline: [],
      userPings: new Map(),
    });
  }

  leave(key: string): void {
    this.#members.delete(key);
  }

  /** Lets time pass; each `everyMs` the engine looks, and `each` may speak. */
  async run(ms: number, everyMs = 50, each: () => void = () => {}): Promise<void> {
    const end = this.timeline.now() + ms;
    while (this.timeline.now() < end) {
      await this.timeline.runFor(everyMs);
      this.punches.review();
      this.longShots.review();
      each();
    }
  }

  #left(socket: number, remote: { ip: string; port: number }): void {
    this.pings.push({ at: this.timeline.now(), socket, remote: `${remote.ip} ${remote.port}` });
  }
}

/** The most entries within one window, each key counted once in it. */
export function densest(entries: readonly { at: number; key: string }[], windowMs: number): number {
  let most = 0;
  let first = 0;
  const counts = new Map<string, number>();
  for (const { at, key } of entries) {
    for (let old = entries[first]; old !== undefined && old.at <= at - windowMs; old = entries[++first]) {
      const left = (counts.get(old.key) ?? 1) - 1;
      if (left === 0) counts.delete(old.key);
      else counts.set(old.key, left);
    }
    counts.set(key, (counts.get(key) ?? 0) + 1);
    most = Math.max(most, counts.size);
  }
  return most;
}
