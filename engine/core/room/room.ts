/**
 * The room core: one password, some servers, and the members that proved themselves. Every event goes to the part that
 * owns it; what the parts decide leaves as actions.
 *
 * 1. `servers` says hello and keeps the list of sessions that are there.
 * 2. `handshakes` proves the password to each of them, pair by pair.
 * 3. `peers` holds the proven ones, by key, over all servers and the tunnel.
 * 4. `gossip` carries names, host numbers, the prefix and the room tag between them.
 */
import { bytesToHex, keyFromBase64, toBase64 } from '../crypto/bytes.ts';
import { memberKeys, SCRYPT, topicOf } from '../crypto/derive.ts';
import { normaliseName } from '../crypto/names.ts';
import { PORTABLE, type Primitives } from '../crypto/primitives.ts';
import { PREFIX_LENGTH } from './addresses.ts';
import type { PeerKey, RoomAction, RoomCore, RoomEvent, RoomMemory, RoomOptions, RoomView } from './contract.ts';
import { Gossip } from './gossip.ts';
import type { HandshakeContext, Verified } from './handshake.ts';
import { Handshakes, type Outcome } from './handshakes.ts';
import type { Member, Run } from './member.ts';
import { checkOptions } from './options.ts';
import { type Peer, Peers } from './peers.ts';
import { Servers } from './servers.ts';
import { Shared } from './shared.ts';
import { decodeMessage } from './signals.ts';
import { decodeBegin, encodeBegin, INITIATION_BYTES, KIND_BEGIN, KIND_SIGNAL } from './wire.ts';

/** From start to the first welcome, and from there to the first proof. */
const FIRST_WELCOME_MS = 10_000;
const FIRST_PROOF_MS = 10_000;
/** A room is not begun while another server may still show who is there. */
const OTHER_SERVERS_MS = 2_000;
const MAX_SHARES = 1_024;
const MAX_BLOCKED = 1_000;

/** Throws WarrenError('invalid') for a name, nickname, password or address that cannot be. */
export function createRoom(options: RoomOptions): RoomCore {
  return new Room(options);
}

class Room implements RoomCore {
  readonly #options: RoomOptions;
  readonly #primitives: Primitives;
  readonly #shared: Shared;
  readonly #servers: Servers;
  readonly #handshakes: Handshakes;
  readonly #peers: Peers;
  readonly #gossip: Gossip;
  readonly #password: Uint8Array | null;
  readonly #blocked: Set<PeerKey>;
  readonly #shares = new Set<string>();
  #context: HandshakeContext | null = null;
  #prs: Uint8Array | null = null;
  #state: RoomView['state'] = 'off';
  #stopped = false;
  #startedAt = 0;
  #firstWelcomeAt: number | null = null;
  #everProven = false;
  /** A member that was here before us did not have our password, or we not its. */
  #mismatch = false;
  #ended = false;

  constructor(options: RoomOptions) {
    this.#options = options;
    const name = normaliseName(options.name);
    this.#password = checkOptions(options, name);
    const topic = topicOf(name);
    this.#primitives = options.primitives ?? PORTABLE;
    const keys = memberKeys(this.#primitives, options.machineKey, topic);
    const publicKey = toBase64(keys.publicKey);
    this.#shared = new Shared({ topic, keys, publicKey, random: options.random });
    this.#blocked = new Set(options.memory?.blocked);
    this.#peers = new Peers(this.#shared);
    this.#gossip = new Gossip(this.#shared, this.#peers, options);
    this.#servers = new Servers(this.#shared, options.servers, {
      departed: (member) => this.#departed(member),
      joined: () => {
        this.#firstWelcomeAt ??= this.#shared.now;
      },
    });
    this.#handshakes = new Handshakes(this.#shared, () => this.#servers.members(), {
      context: () => this.#context,
      outcome: (member, run, step) => this.#outcome(member, run, step),
      settled: (_member, step) => this.#settled(step.verified.key, step.greeting),
      failed: (member, run, guess) => this.#failed(member, run, guess),
    });
  }

  handle(now: number, event: RoomEvent): RoomAction[] {
    this.#shared.now = now;
    this.#dispatch(event);
    if (this.#state !== 'off') {
      this.#foundIfAlone();
      this.#gossip.flush();
      this.#shared.flushSignals();
      this.#updateState();
      this.#wake();
    }
    if (this.#shared.takeChanged()) this.#shared.emit({ type: 'remember', memory: this.#memory() });
    return this.#shared.takeActions();
  }

  view(): RoomView {
    const { topic, keys, publicKey, now } = this.#shared;
    const proven = this.#peers.proven().map((peer) => peer.key);
    const blocked = [...this.#blocked].filter((key) => !proven.includes(key));
    const [inUse = this.#servers.all[0]] = this.#servers.joined;
    return {
      state: this.#state,
      topic: bytesToHex(topic),
      publicKey,
      privateKey: keys.privateKey,
      nick: this.#gossip.nick,
      ipv4: this.#gossip.ipv4,
      prefixLength: PREFIX_LENGTH,
      ipv6: this.#gossip.ipv6,
      server: inUse?.url ?? '',
      members: [...proven, ...blocked].map((key) => ({
        key,
        nick: this.#gossip.nicks.shown(key),
        ipv4: this.#gossip.ipv4Of(key),
        ipv6: this.#gossip.ipv6Of(key),
        proven: this.#peers.isProven(key),
        introduced: this.#gossip.introducedAt(key) <= now,
        blocked: this.#blocked.has(key),
      })),
    };
  }

  #dispatch(event: RoomEvent): void {
    if (event.type === 'start') return this.#start();
    if (this.#state === 'off') return;
    switch (event.type) {
      case 'stop':
        return this.#stop();
      case 'server-open':
        return this.#servers.opened(event.server);
      case 'server-message':
        this.#servers.message(event.server, event.message);
        return this.#handshakes.pump();
      case 'server-frame':
        return this.#frame(event.server, event.member, event.payload);
      case 'server-closed':
        return this.#servers.closed(event.server);
      case 'crypto':
        return this.#shared.finishJob(event.job, event.result);
      case 'tunnel-frame':
        return this.#message(this.#peers.openTunnel(event.peer, event.payload));
      case 'peer-alive':
        return this.#peers.alive(event.peer);
      case 'tunnel-begin':
        return this.#beginTunnel(event.server, event.member, event.payload);
      case 'send': {
        const peer = this.#peers.get(event.peer);
        if (peer?.proven === true) this.#peers.send(peer, event.message);
        return;
      }
      case 'block':
        return this.#block(event.peer, event.on);
      case 'network-changed':
        return this.#servers.networkChanged();
      case 'tick':
        return this.#tick();
    }
  }

  #start(): void {
    if (this.#state !== 'off' || this.#stopped) return;
    this.#state = 'joining';
    this.#startedAt = this.#shared.now;
    this.#gossip.begin();
    this.#servers.start();
    const saved = this.#options.memory?.prs;
    if (this.#password === null) return this.#ready(keyFromBase64(saved ?? ''));
    const n = this.#options.scryptN ?? SCRYPT.n;
    const request = { kind: 'scrypt', password: this.#password, salt: this.#shared.topic, ...SCRYPT, n } as const;
    this.#shared.job(request, (result) => this.#ready(result.kind === 'scrypt' ? result.key : null));
  }

  /** The password-related string is there: handshakes may begin. */
  #ready(prs: Uint8Array | null): void {
    if (prs === null) return this.#fatal('invalid');
    this.#prs = prs;
    this.#context = this.#handshakeContext(prs);
    this.#handshakes.pump();
  }

  #handshakeContext(prs: Uint8Array): HandshakeContext {
    const { topic, keys, random, publicKey } = this.#shared;
    return {
      topic,
      prs,
      keys,
      primitives: this.#primitives,
      random,
      roomTag: () => this.#gossip.roomTag,
      knownRoots: (pair) => this.#peers.roots(pair),
      generationOf: (key) => this.#peers.generationOf(key),
      greeting: () => this.#gossip.greeting(),
      refuses: (key) => key === publicKey || this.#blocked.has(key),
      freshShare: (share) => this.#freshShare(share),
    };
  }

  #freshShare(share: Uint8Array): boolean {
    const text = bytesToHex(share);
    if (this.#shares.has(text)) return false;
    if (this.#shares.size >= MAX_SHARES) {
      for (const oldest of this.#shares) {
        this.#shares.delete(oldest);
        break;
      }
    }
    this.#shares.add(text);
    return true;
  }

  #stop(): void {
    for (const peer of this.#peers.proven()) this.#peers.send(peer, { t: 'bye' });
    this.#shared.flushSignals(true);
    this.#servers.stop();
    this.#state = 'off';
    this.#stopped = true;
  }

  /** Nobody is here on any server, as far as can be known by now: the room begins with us. */
  #foundIfAlone(): void {
    const welcomeAt = this.#firstWelcomeAt;
    if (welcomeAt === null || this.#everProven || this.#gossip.founded || this.#prs === null) return;
    const { joined } = this.#servers;
    if (joined.length === 0 || joined.some((server) => server.members.size > 0)) return;
    if (this.#servers.undecided && this.#shared.now < welcomeAt + OTHER_SERVERS_MS) return;
    this.#gossip.found();
  }

  /**
   * The relay opens to whoever knows the password; an initiator has done that at message 2. A responder has at message 5:
   * what follows is then not counted among the frames of strangers, or the last message could be lost to one side alone.
   */
  #outcome(member: Member, { handshake: { role }, startedAt }: Run, step: Outcome): boolean {
    if (this.#isGone(step.verified)) return false;
    if (step.type === 'verified') this.#peers.expect(member, step.verified, step.initiate);
    else if (this.#peers.prove(member, step.verified, { ...step, role, began: startedAt })) {
      this.#gossip.gone(step.verified.key);
    }
    const resumed = step.verified.generation === null;
    const allowed = step.type === 'proven' && role === (resumed ? 'responder' : 'initiator');
    if (!allowed) this.#sayTo(member, 'allow');
    return true;
  }

  /** It said goodbye, was blocked, or its generation was forgotten, while a handshake of before was under way. */
  #isGone({ key, generation }: Verified): boolean {
    return this.#blocked.has(key) || (generation === null && this.#peers.get(key) === undefined);
  }

  #sayTo(member: Member, t: 'allow' | 'deny'): void {
    if (this.#servers.member(member.server, member.id) !== member) return;
    this.#shared.emit({ type: 'server-send', server: member.server, message: { t, member: member.id } });
  }

  #departed(member: Member): void {
    this.#handshakes.departed(member);
    this.#peers.departed(member);
  }

  #frame(server: number, id: string, payload: Uint8Array): void {
    const member = this.#servers.member(server, id);
    if (member === undefined) return;
    if (payload[0] === KIND_BEGIN) return this.#tunnelBegun(member, payload);
    if (payload[0] !== KIND_SIGNAL) return this.#handshakes.frame(member, payload);
    this.#message(this.#peers.open(member, payload));
  }

  /** While message 4 is awaited: before message 3 the other does not know us, and behind message 4 there is the relay. */
  #beginTunnel(server: number, id: string, initiation: Uint8Array): void {
    const member = this.#servers.member(server, id);
    const expected = member?.run?.handshake.verifiedKey ?? null;
    if (expected !== null && initiation.length === INITIATION_BYTES) {
      this.#shared.signal(server, id, encodeBegin(initiation));
    }
  }

  #tunnelBegun(member: Member, payload: Uint8Array): void {
    const initiation = decodeBegin(payload);
    if (initiation === null || member.peer === null) return;
    this.#shared.emit({ type: 'tunnel-packet', peer: member.peer, payload: initiation });
  }

  #message(opened: { peer: Peer; plaintext: Uint8Array } | null): void {
    const message = opened && decodeMessage(opened.plaintext);
    if (!opened || !message || !opened.peer.proven) return;
    const { peer } = opened;
    switch (message.t) {
      case 'profile':
        return this.#gossip.profile(peer, message);
      case 'claim-answer':
        return this.#gossip.answer(peer, message);
      case 'bye':
        return this.#drop(peer.key, 'bye');
      default:
        this.#shared.emit({ type: 'peer-message', peer: peer.key, message });
    }
  }

  #settled(key: PeerKey, greeting: Uint8Array | null): void {
    const peer = this.#peers.get(key);
    if (peer === undefined) return;
    if (!this.#everProven) this.#shared.changed();
    this.#everProven = true;
    this.#peers.admit(peer);
    this.#gossip.met(peer);
    const profile = greeting === null ? null : decodeMessage(greeting);
    if (profile?.t === 'profile') this.#gossip.greeted(peer, profile);
  }

  #failed(member: Member, run: Run, guess: boolean): void {
    this.#dropUnproven(member, run);
    if (!guess) return;
    if (this.#everProven || !member.welcomed) this.#shared.notice('failed-guess');
    else this.#mismatch = true;
  }

  /** Installed and allowed before message 3, and message 4 never came; or allowed before message 5, and 6 never came. */
  #dropUnproven(member: Member, run: Run): void {
    const key = run.handshake.verifiedKey;
    if (key === null) return;
    if (member.peer === null) this.#sayTo(member, 'deny');
    // On another server its message 4 may still be under way.
    for (const other of this.#servers.members()) if (other.run?.handshake.verifiedKey === key) return;
    if (this.#peers.get(key)?.proven === false) this.#drop(key, 'unproven');
  }

  #drop(key: PeerKey, reason: 'bye' | 'blocked' | 'gone' | 'unproven'): void {
    this.#peers.drop(key, reason);
    this.#gossip.gone(key);
  }

  #block(key: PeerKey, on: boolean): void {
    if (keyFromBase64(key) === null || key === this.#shared.publicKey) return;
    if (on && this.#blocked.size < MAX_BLOCKED) this.#blocked.add(key);
    if (!on) this.#blocked.delete(key);
    if (on) this.#drop(key, 'blocked');
    else for (const member of this.#servers.members()) this.#handshakes.reconsider(member);
    // It never knew that it was blocked, and goes on speaking to us: among a stranger's few frames its handshake would be lost.
    for (const member of this.#servers.members()) if (member.former === key) this.#sayTo(member, on ? 'deny' : 'allow');
    this.#shared.changed();
    this.#handshakes.pump();
  }

  #tick(): void {
    this.#servers.tick();
    for (const key of this.#peers.lost()) this.#drop(key, 'gone');
    this.#handshakes.pump();
    this.#judgeStart();
  }

  /** The two ways in which a start ends badly, and the one in which it waits no longer. */
  #judgeStart(): void {
    const { now } = this.#shared;
    if (this.#firstWelcomeAt === null) {
      if (now >= this.#startedAt + FIRST_WELCOME_MS) this.#fatal(this.#isFull() ? 'room-full' : 'no-server');
      return;
    }
    if (this.#everProven || now < this.#firstWelcomeAt + FIRST_PROOF_MS) return;
    if (this.#mismatch && !this.#ended) {
      this.#shared.notice('wrong-password');
      if (!this.#options.create) return this.#fatal('wrong-password');
      this.#ended = true;
    }
    // Strangers, or sessions that nobody answers for: the room is ours until somebody proves otherwise.
    if (this.#servers.joined.length > 0) this.#gossip.found();
  }

  #isFull(): boolean {
    return this.#servers.all.some((server) => server.error === 'room-full');
  }

  #fatal(code: Extract<RoomAction, { type: 'fatal' }>['code']): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#shared.emit({ type: 'fatal', code });
  }

  #updateState(): void {
    const reachable = this.#servers.joined.length > 0;
    if (this.#state === 'joining') {
      if (reachable && this.#prs !== null && (this.#everProven || this.#gossip.founded)) this.#state = 'joined';
      return;
    }
    this.#state = reachable ? 'joined' : 'reconnecting';
  }

  #wake(): void {
    const at = Math.min(
      this.#servers.deadline(),
      this.#handshakes.deadline(),
      this.#peers.deadline(),
      this.#gossip.deadline(),
      this.#shared.pacer.deadline(this.#shared.now),
      this.#startDeadline(),
    );
    if (Number.isFinite(at)) this.#shared.emit({ type: 'wake', at });
  }

  /** When the start has to be judged, until it is decided. */
  #startDeadline(): number {
    if (this.#ended || this.#everProven || this.#gossip.founded) return Number.POSITIVE_INFINITY;
    const { now } = this.#shared;
    const welcomeAt = this.#firstWelcomeAt;
    if (welcomeAt === null) return Math.max(now + 1_000, this.#startedAt + FIRST_WELCOME_MS);
    if (now < welcomeAt + OTHER_SERVERS_MS) return welcomeAt + OTHER_SERVERS_MS;
    return Math.max(now + 1_000, welcomeAt + FIRST_PROOF_MS);
  }

  #memory(): RoomMemory {
    // A password that nobody shares is not worth keeping: it may be a slip.
    const right = this.#prs !== null && (this.#everProven || this.#gossip.founded);
    return {
      prs: right && this.#prs !== null ? toBase64(this.#prs) : (this.#options.memory?.prs ?? null),
      roomTag: this.#gossip.roomTag === null ? null : toBase64(this.#gossip.roomTag),
      prefix: this.#gossip.prefix,
      claims: this.#gossip.claims.all(),
      pins: this.#gossip.pins,
      blocked: [...this.#blocked],
    };
  }
}
