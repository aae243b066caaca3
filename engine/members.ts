import type { PingResult } from '../protocol/app.ts';
import { WarrenError } from '../protocol/errors.ts';
import type { NatReport } from '../protocol/nat.ts';
import type { Candidate, PeerMessage } from '../protocol/peer.ts';
import type { Budget, Dependence } from './core/budget.ts';
import type { CorePath, PeerAction, PeerEvent } from './core/peer/contract.ts';
import { createPeer } from './core/peer/peer.ts';
import { LOST_AFTER_MS } from './core/peer/tuning.ts';
import type { PeerKey, RoomAction } from './core/room/contract.ts';
import { Floods } from './discovery/floods.ts';
import { type Member, viaOf } from './member.ts';
import type { NewRemotes } from './new-remotes.ts';
import type { ClockPort, DeviceEvent, DevicePort, Endpoint, PeerId, Via } from './ports.ts';
import type { Servers } from './servers.ts';
import { Waker } from './wake.ts';

export interface MembersOptions {
  clock: ClockPort;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void;
  device: DevicePort;
  budget: Budget;
  newRemotes: Pick<NewRemotes, 'heard'>;
  servers: Servers;
  /** This host's public key: the lower of two breaks ties. */
  ownKey: PeerKey;
  relayOnly: boolean;
  /** Whether an address lies in the room: the tunnel must not run through itself. */
  inRoom(ip: string): boolean;
  /** URL of a room server by index. */
  serverUrls: readonly string[];
  /** Runs work in the engine's one queue. */
  post(work: () => void): void;
  /** Seals and sends a message to a member. */
  send(peer: PeerKey, message: PeerMessage): void;
  /** Whether this host's mappings depend on the destination, or are not known not to. */
  dependentMappings(): Dependence;
  /** Strategy of the punch with a member that is under way; null where there is none. */
  punching(peer: PeerKey): string | null;
  /** A path began, moved or ended. */
  pathChanged(): void;
  /** The first message of a tunnel, for a member that cannot be relayed to yet. */
  begin(way: { server: number; member: string }, payload: Uint8Array): void;
  /** The member proved itself in the tunnel since it was last said. */
  alive(peer: PeerKey): void;
  /** The member says far more to everybody than any game. */
  floods(peer: PeerKey): void;
  /** Something else that is shown of a member has changed; figures that always move are none of it. */
  changed(): void;
}

/** How often a living tunnel is told to the room: a third of the time after which an unseen member is gone. */
const ALIVE_MS = 30_000;
/** An evening of a shaky connection. */
const TIMELINE_KEPT = 32;

/** The installed members: each one's traversal core, driven by the device's events and driving the device's paths. */
export class Members {
  readonly #options: MembersOptions;
  readonly #byKey = new Map<PeerKey, Member>();
  readonly #byId = new Map<PeerId, Member>();
  /** `server:member` to the peer behind it. */
  readonly #routes = new Map<string, Member>();
  readonly #floods: Floods<PeerKey>;

  constructor(options: MembersOptions) {
    this.#options = options;
    this.#floods = new Floods(options.clock, (peer) => options.floods(peer));
  }

  all(): ReadonlyMap<PeerKey, Member> {
    return this.#byKey;
  }

  get(key: PeerKey): Member | undefined {
    return this.#byKey.get(key);
  }

  /** Installs a member. One whose process restarted was taken down before (`restarted`). */
  up(action: Extract<RoomAction, { type: 'peer-up' }>): void {
    const { presharedKey, probe, initiate, early } = action;
    const { device } = this.#options;
    const publicKey = Buffer.from(action.peer, 'base64');
    const id = device.addPeer({ publicKey, presharedKey, probe, initiate, allowedIps: [], fanout: true });
    const member = this.#create(action.peer, id);
    this.#byKey.set(member.key, member);
    this.#byId.set(id, member);
    if (early === undefined) return;
    member.early = early;
    // It begins at once; the core sets the same path when the member can be relayed to.
    device.setPath(id, { kind: 'external' });
  }

  #create(key: PeerKey, id: PeerId): Member {
    const { clock, device, ownKey, relayOnly, inRoom, post } = this.#options;
    const core = createPeer({
      lower: ownKey < key,
      relayOnly,
      refuses: inRoom,
      families: device
        .sockets()
        .filter((socket) => socket.id < 2)
        .map((socket) => socket.family),
    });
    return {
      key,
      id,
      core,
      waker: new Waker(clock, () => post(() => this.event(key, { type: 'tick' }))),
      routes: [],
      early: null,
      proven: false,
      path: null,
      sampled: { txPackets: 0, rxPackets: 0 },
      rxBytes: 0,
      txBytes: 0,
      filtered: 0,
      broadcasts: { received: 0, dropped: 0 },
      duplicate: null,
      lastHandshakeAt: null,
      heardAt: Number.NEGATIVE_INFINITY,
      aliveToldAt: 0,
      localGiven: '',
      timeline: [],
      userPings: new Map(),
    };
  }

  proven(key: PeerKey): void {
    const member = this.#byKey.get(key);
    if (member) member.proven = true;
  }

  down(key: PeerKey): void {
    const member = this.#byKey.get(key);
    if (!member) return;
    member.waker.stop();
    this.#floods.forget(key);
    this.#options.device.removePeer(member.id);
    this.#byKey.delete(key);
    this.#byId.delete(member.id);
    this.#dropRoutes(member);
  }

  /** Virtual addresses that the member speaks for. */
  address(key: PeerKey, ipv4: string | null, ipv6: string): void {
    const member = this.#byKey.get(key);
    const allowedIps = [...(ipv4 ? [`${ipv4}/32`] : []), `${ipv6}/128`];
    if (member) this.#options.device.updatePeer(member.id, { allowedIps });
  }

  routes(key: PeerKey, routes: { server: number; member: string }[]): void {
    const member = this.#byKey.get(key);
    if (!member) return;
    this.#dropRoutes(member);
    for (const route of routes) this.#routes.set(`${route.server}:${route.member}`, member);
    member.routes = routes;
    const best = routes[0];
    const host = best ? serverHost(this.#options.serverUrls[best.server] ?? '') : '';
    this.event(key, { type: 'relay', up: routes.length > 0, host });
  }

  #dropRoutes(member: Member): void {
    for (const [route, peer] of this.#routes) if (peer === member) this.#routes.delete(route);
  }

  /** Gives every proven member our candidates and report, when they differ from the last. */
  giveLocal(candidates: Candidate[], nat: NatReport): void {
    const given = JSON.stringify([candidates, nat]);
    for (const member of this.#byKey.values()) {
      if (!member.proven || member.localGiven === given) continue;
      member.localGiven = given;
      this.event(member.key, { type: 'local', candidates, nat });
    }
  }

  event(key: PeerKey, event: PeerEvent): void {
    const member = this.#byKey.get(key);
    if (!member) return;
    const withheld: number[] = [];
    for (const action of member.core.handle(this.#options.clock.now(), event)) {
      if (action.type === 'ping') {
        if (!this.#ping(member, action)) withheld.push(action.seq);
      } else this.#act(member, action);
    }
    if (withheld.length > 0) this.event(key, { type: 'withheld', seqs: withheld });
  }

  everyone(event: PeerEvent): void {
    for (const key of this.#byKey.keys()) this.event(key, event);
  }

  /** Whether some proven member has no direct path in use. */
  someRelayed(): boolean {
    const all = [...this.#byKey.values()];
    return all.some(({ proven, path, core }) => proven && (path?.kind !== 'udp' || !core.direct()));
  }

  /** False when the budget holds it back. */
  #ping(member: Member, { seq, via, purpose, ttl, size, doubly }: Extract<PeerAction, { type: 'ping' }>): boolean {
    const { budget, clock, device } = this.#options;
    if (purpose === 'probe') budget.spend(clock.now());
    else if (!this.#admits(via) || !budget.take(clock.now())) return false;
    this.#count(via);
    device.ping(member.id, seq, via, {
      ...(ttl ? { ttl } : {}),
      ...(size ? { size } : {}),
      ...(doubly ? { doubly } : {}),
    });
    return true;
  }

  #act(member: Member, action: Exclude<PeerAction, { type: 'ping' }>): void {
    const { device, log } = this.#options;
    switch (action.type) {
      case 'path':
        if (action.path?.kind === 'udp') log('debug', `path to ${member.key} carries packets of ${action.path.mtu}`);
        member.path = action.path;
        member.duplicate = action.duplicate;
        return device.setPath(member.id, action.path, action.duplicate ?? firstDuplicate(member));
      case 'send':
        return this.#options.send(member.key, action.message);
      case 'wake':
        return member.waker.wakeAt(action.at);
      case 'path-changed':
        log('info', `path to ${member.key}: ${action.from ?? 'none'} to ${action.to ?? 'none'} (${action.why})`);
        this.#note(member, action);
        return this.#options.pathChanged();
    }
  }

  /** One ping of a punch; false when the budget or the device holds it back. */
  punch(key: PeerKey, via: { socket: number; remote: Endpoint }, ttl?: number): boolean {
    const { budget, clock, device } = this.#options;
    const member = this.#byKey.get(key);
    if (!member || !budget.take(clock.now())) return false;
    this.#count(via);
    const seq = member.core.nextSeq();
    const doubly = member.core.bothDependent();
    if (doubly) this.event(key, { type: 'punched', seq, via });
    return device.ping(member.id, seq, via, { ...(ttl === undefined ? {} : { ttl }), ...(doubly ? { doubly } : {}) });
  }

  #admits(via: Via): boolean {
    const { budget, clock, dependentMappings } = this.#options;
    return via === 'external' || budget.admits(clock.now(), via.socket, via.remote, dependentMappings());
  }

  #count(via: Via): void {
    const { budget, clock, dependentMappings } = this.#options;
    if (via !== 'external') budget.sent(clock.now(), via.socket, via.remote, dependentMappings());
  }

  #note(member: Member, { to, why }: Extract<PeerAction, { type: 'path-changed' }>): void {
    const { clock } = this.#options;
    const rttMs = to === null ? null : (member.core.view(clock.now()).path?.rttMs ?? null);
    const punch = to === 'direct' ? this.#options.punching(member.key) : null;
    const change = { at: Math.round(clock.epoch()), kind: to, why, rttMs, ...(punch === null ? {} : { punch }) };
    member.timeline = [...member.timeline, change].slice(-TIMELINE_KEPT);
  }

  /** What the device made of a ping: an answer to an address of which we know nothing is a mapping more, like a ping of ours. */
  answered(ping: Extract<DeviceEvent, { type: 'ping' }>): void {
    if (ping.answer !== 'refused') this.#count(ping.via);
    this.#options.newRemotes.heard(ping);
  }

  /** A device event of some peer. Tunnel messages are the room's (`keyOf` names the sender). */
  device(event: Extract<DeviceEvent, { peer: PeerId }>): void {
    const member = this.#byId.get(event.peer);
    if (!member) return;
    if ('at' in event) this.#heard(member, event.at);
    switch (event.type) {
      case 'ping':
        return this.event(member.key, event);
      case 'pong': {
        const asked = member.userPings.get(event.seq);
        return asked ? asked(event.rttMs) : this.event(member.key, event);
      }
      case 'handshake':
        this.#established(member, event.at);
        this.#options.changed();
        return this.event(member.key, { type: 'handshake', at: event.at });
      case 'outbound': {
        const route = member.routes[0];
        if (route) this.#options.servers.relay(route.server, route.member, event.bytes, event.express);
        else if (member.early) this.#options.begin(member.early, event.bytes);
        member.early = null;
        return;
      }
      case 'message':
      case 'peer-moved':
        return;
    }
  }

  #established(member: Member, at: number): void {
    const doubled = firstDuplicate(member) !== null;
    member.lastHandshakeAt = at;
    if (doubled) this.#options.device.setPath(member.id, member.path, member.duplicate);
  }

  /** Something authenticated came from the member at this time. */
  #heard(member: Member, at: number): void {
    // The first sign of life, or one after so long a silence that the member is shown as lost.
    if (at - member.heardAt > LOST_AFTER_MS) this.#options.changed();
    member.heardAt = Math.max(member.heardAt, at);
    if (at <= member.aliveToldAt + ALIVE_MS) return;
    member.aliveToldAt = at;
    this.#options.alive(member.key);
  }

  keyOf(id: PeerId): PeerKey | null {
    return this.#byId.get(id)?.key ?? null;
  }

  /** A relayed frame: into the device as if from a socket. */
  relayed(server: number, memberId: string, payload: Uint8Array): void {
    const member = this.#routes.get(`${server}:${memberId}`);
    if (member) this.#options.device.receiveExternal(member.id, payload);
  }

  /** The tunnel's first message, which came ahead of the relay. */
  received(key: PeerKey, payload: Uint8Array): void {
    const member = this.#byKey.get(key);
    if (member) this.#options.device.receiveExternal(member.id, payload);
  }

  /** A sealed signal through the member's present path; lost where there is none. */
  tunnelFrame(key: PeerKey, payload: Uint8Array): void {
    const member = this.#byKey.get(key);
    const via = viaOf(member?.path ?? null);
    if (member && via) this.#options.device.sendMessage(member.id, member.core.nextSeq(), via, payload);
  }

  /** Reads the counters and tells each core how much passed. */
  sample(): void {
    const at = this.#options.clock.now();
    for (const stats of this.#options.device.stats().peers) {
      const member = this.#byId.get(stats.peer);
      if (!member) continue;
      member.rxBytes = stats.rxBytes;
      member.txBytes = stats.txBytes;
      member.filtered = stats.filtered;
      member.broadcasts = { received: stats.fanoutReceived, dropped: stats.fanoutDropped };
      this.#floods.sample(member.key, stats.fanoutReceived + stats.fanoutDropped);
      if (stats.lastReceivedAt !== null) this.#heard(member, stats.lastReceivedAt);
      const txPackets = stats.txPackets - member.sampled.txPackets;
      const rxPackets = stats.rxPackets - member.sampled.rxPackets;
      if (txPackets === 0 && rxPackets === 0) continue;
      member.sampled = { txPackets: stats.txPackets, rxPackets: stats.rxPackets };
      this.event(member.key, { type: 'traffic', txPackets, rxPackets, at });
    }
  }

  /** One probe over the path in use; rejects with `unreachable` or `timeout`. */
  ping(who: { key: PeerKey; nick: string; ipv4: string | null }, timeoutMs: number): Promise<PingResult> {
    const { clock, device } = this.#options;
    const member = this.#byKey.get(who.key);
    const via = viaOf(member?.path ?? null);
    const view = member?.core.view(clock.now());
    if (!member || !via || !view?.path) {
      return Promise.reject(new WarrenError('unreachable', `${who.nick} has no path yet`));
    }
    const path = view.path.kind;
    const seq = member.core.nextSeq();
    return new Promise((resolve, reject) => {
      const cancel = clock.at(clock.now() + timeoutMs, () => {
        member.userPings.delete(seq);
        reject(new WarrenError('timeout', `${who.nick} did not answer in ${timeoutMs} ms`));
      });
      member.userPings.set(seq, (rttMs) => {
        cancel();
        member.userPings.delete(seq);
        resolve({ nick: who.nick, ipv4: who.ipv4, rttMs, path });
      });
      device.ping(member.id, seq, via);
    });
  }

  stop(): void {
    for (const member of this.#byKey.values()) member.waker.stop();
  }
}

function serverHost(url: string): string {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
}

/**
 * Until the tunnel stands, its first messages also take the relay: one that a lossy direct path swallows would cost
 * seconds, and a lost confirmation is never repeated.
 */
function firstDuplicate({ path, lastHandshakeAt, routes }: Member): CorePath | null {
  return path?.kind === 'udp' && lastHandshakeAt === null && routes.length > 0 ? { kind: 'external' } : null;
}
