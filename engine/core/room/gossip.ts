/**
 * What proven members tell each other about the room itself: names, host numbers, the prefix, the room tag. One profile
 * goes to everyone after the proof and whenever one of its parts changes.
 */
import type { AddressClaim, PeerMessage } from '../../../protocol/peer.ts';
import { compareBytes, fromBase64, keyFromBase64, toBase64 } from '../crypto/bytes.ts';
import { ASKED, clearIndex, formatIpv4, ipv6Of, isClear, parseIpv4, PREFIX_LENGTH, prefixOf } from './addresses.ts';
import { Claims } from './claims.ts';
import type { PeerKey, RoomMemory, RoomOptions } from './contract.ts';
import { cleanNick, Nicks } from './nicks.ts';
import type { Peer, Peers } from './peers.ts';
import type { Shared } from './shared.ts';
import { encodeMessage } from './signals.ts';

type Profile = Extract<PeerMessage, { t: 'profile' }>;
type Answer = Extract<PeerMessage, { t: 'claim-answer' }>;

/** Nobody founds a room so often; a member that claims more could make the next number one that is no message. */
const MAX_EPOCH = 1_000_000;
/** Claims a profile: about 5 KB of JSON, below the 8 KiB of a signal. */
const CLAIMS_A_MESSAGE = 50;
const GREETING_BYTES = 380;
/** From a member's proof to when it is shown without a name: its profile may be lost, or held back to hide it. */
const INTRODUCTION_MS = 2_000;

export class Gossip {
  readonly nick: string;
  readonly nicks: Nicks;
  readonly claims: Claims;
  roomTag: Uint8Array | null;
  prefix: { epoch: number; index: number };
  readonly #shared: Shared;
  readonly #peers: Peers;
  readonly #options: RoomOptions;
  readonly #asked: number | null;
  /** The prefix is the room's, not a guess. */
  #settled: boolean;
  #founded = false;
  #shownSelf = '';
  /** The network of the present prefix. */
  #known: { index: number; network: number } | null = null;
  readonly #ipv6 = new Map<PeerKey, string>();
  readonly #shownPeers = new Map<PeerKey, string>();
  readonly #accepted = new Map<PeerKey, AddressClaim>();
  readonly #dirty = new Set<PeerKey>();

  constructor(shared: Shared, peers: Peers, options: RoomOptions) {
    const { memory } = options;
    this.#shared = shared;
    this.#peers = peers;
    this.#options = options;
    this.nick = cleanNick(options.nick);
    this.nicks = new Nicks(shared.publicKey, this.nick, memory?.pins ?? []);
    this.#asked = options.ipv4 === null ? null : parseIpv4(options.ipv4);
    const askedHost = this.#asked === null ? null : this.#asked % 2 ** (32 - PREFIX_LENGTH);
    this.claims = new Claims(shared.topic, shared.publicKey, memory?.claims ?? [], askedHost);
    this.roomTag = memory?.roomTag ? keyFromBase64(memory.roomTag) : null;
    this.prefix = memory?.prefix ?? { epoch: 0, index: 0 };
    this.#settled = memory !== null && this.claims.own.held;
  }

  get pins(): RoomMemory['pins'] {
    return this.nicks.pins;
  }

  /** This member began the room, or has it to itself. */
  get founded(): boolean {
    return this.#founded;
  }

  /** Own IPv4 address once it may be used. */
  get ipv4(): string | null {
    const usable = this.#settled && (this.claims.own.held || this.#founded);
    return usable ? this.#address(this.claims.own) : null;
  }

  get ipv6(): string {
    return this.ipv6Of(this.#shared.publicKey);
  }

  ipv4Of(key: PeerKey): string | null {
    const claim = this.#accepted.get(key);
    return claim === undefined || !this.#settled ? null : this.#address(claim);
  }

  ipv6Of(key: PeerKey): string {
    const known = this.#ipv6.get(key);
    if (known !== undefined) return known;
    const address = ipv6Of(this.#shared.topic, keyFromBase64(key) ?? new Uint8Array(32));
    this.#ipv6.set(key, address);
    return address;
  }

  /** From memory: the address is ready before the first server answers. */
  begin(): void {
    if (this.#settled) this.#settle();
  }

  /** Nobody else is here: the room begins with this member. */
  found(): void {
    if (this.#founded) return;
    this.#founded = true;
    const networks = this.#options.hostNetworks;
    if (!isClear(this.#shared.topic, this.prefix.index, networks)) {
      this.prefix = {
        epoch: Math.min(this.prefix.epoch + 1, MAX_EPOCH),
        index: clearIndex(this.#shared.topic, networks),
      };
    }
    this.roomTag ??= this.#shared.random(32);
    this.#settle();
    this.#shared.changed();
  }

  /** Rides in message 3: enough for the responder to give us our address. */
  greeting(): Uint8Array {
    const bytes = encodeMessage({ ...this.#profile([]), roomTag: null });
    return bytes.length <= GREETING_BYTES ? bytes : new Uint8Array();
  }

  /** A member proved itself: it gets the whole profile. */
  met(peer: Peer): void {
    const claim = this.claims.of(peer.key);
    if (claim !== null) this.#accepted.set(peer.key, claim);
    this.#showPeer(peer.key);
    this.#tell(peer);
  }

  /** From when a member is shown: from its proof on where its name is known. */
  introducedAt(key: PeerKey): number {
    const peer = this.#peers.get(key);
    if (peer?.proven !== true) return Number.POSITIVE_INFINITY;
    return this.nicks.knows(key) ? peer.generationAt : peer.generationAt + INTRODUCTION_MS;
  }

  /** When the next member is shown without a name. */
  deadline(): number {
    const { now } = this.#shared;
    const waiting = this.#peers.proven().map(({ key }) => this.introducedAt(key));
    return Math.min(...waiting.filter((at) => at > now), Number.POSITIVE_INFINITY);
  }

  gone(key: PeerKey): void {
    this.#accepted.delete(key);
    this.#shownPeers.delete(key);
    this.#ipv6.delete(key);
    this.#dirty.delete(key);
  }

  /** The profile out of message 3, which leaves out the room tag and the others' claims. */
  greeted(peer: Peer, profile: Profile): void {
    this.#meetNick(peer.key, profile.nick);
    this.#mergePrefix(profile.prefix);
    if (profile.claim?.key === peer.key) this.#judge(peer, profile.claim);
    this.#settle();
  }

  profile(peer: Peer, profile: Profile): void {
    this.#meetNick(peer.key, profile.nick);
    this.#mergePrefix(profile.prefix);
    this.#mergeTag(peer.key, profile.roomTag);
    if (this.claims.learn(profile.claims, this.#peers.isProven)) this.#shared.changed();
    if (profile.claim?.key === peer.key) this.#judge(peer, profile.claim);
    this.#settle();
  }

  answer(peer: Peer, answer: Answer): void {
    const before = this.claims.own;
    if (answer.accepted) {
      if (this.claims.accepted(answer.host)) this.#shared.changed();
    } else if (answer.by !== null && this.claims.refused(answer.host, answer.by)) {
      this.#ownMoved(before);
      this.#dirty.delete(peer.key);
      this.#tell(peer);
    }
    this.#settle();
  }

  /** Tells whoever has not heard the news of this event yet. */
  flush(): void {
    for (const key of this.#dirty) {
      const peer = this.#peers.get(key);
      if (peer?.proven === true) this.#tell(peer);
    }
    this.#dirty.clear();
  }

  #address(claim: AddressClaim): string {
    return formatIpv4(this.#network() + claim.host);
  }

  /** Every snapshot asks for it once a member. */
  #network(): number {
    const { index } = this.prefix;
    if (this.#known?.index !== index) this.#known = { index, network: prefixOf(this.#shared.topic, index) };
    return this.#known.network;
  }

  #profile(claims: AddressClaim[]): Profile {
    return {
      t: 'profile',
      nick: this.nick,
      claim: this.claims.own,
      prefix: this.prefix,
      claims,
      roomTag: this.roomTag === null ? null : toBase64(this.roomTag),
    };
  }

  #tell(peer: Peer): void {
    const others = this.claims.all().filter((claim) => claim.key !== peer.key && claim.key !== this.#shared.publicKey);
    for (let at = 0; at === 0 || at < others.length; at += CLAIMS_A_MESSAGE) {
      this.#peers.send(peer, this.#profile(others.slice(at, at + CLAIMS_A_MESSAGE)));
    }
  }

  #tellAll(): void {
    for (const peer of this.#peers.proven()) this.#dirty.add(peer.key);
  }

  #meetNick(key: PeerKey, nick: string): void {
    const present = this.#peers.proven().map((peer) => peer.key);
    const before = this.nicks.shown(key);
    const { pinned, notice } = this.nicks.meet(key, nick, present);
    if (pinned) this.#shared.changed();
    const shown = this.nicks.shown(key);
    if (notice !== null && shown !== before) this.#shared.notice(notice, { nick: shown, peer: key });
  }

  #mergePrefix(theirs: Profile['prefix']): void {
    const mine = this.prefix;
    const later = theirs.epoch > mine.epoch && theirs.epoch <= MAX_EPOCH;
    const wins = later || (theirs.epoch === mine.epoch && theirs.index < mine.index);
    if (wins) {
      this.prefix = theirs;
      this.#tellAll();
      this.#shared.changed();
    }
    this.#settled = true;
  }

  /** The lower of two wins. Where nobody has one, as when nobody came first, the lower key makes it. */
  #mergeTag(key: PeerKey, text: string | null): void {
    const made = text === null && this.roomTag === null && this.#shared.publicKey < key;
    const theirs = made ? this.#shared.random(32) : fromBase64(text ?? '');
    if (theirs?.length !== 32) return;
    if (this.roomTag !== null && compareBytes(theirs, this.roomTag) >= 0) return;
    this.roomTag = theirs;
    this.#tellAll();
    this.#shared.changed();
  }

  #judge(peer: Peer, claim: AddressClaim): void {
    const before = this.#accepted.get(peer.key)?.host;
    const own = this.claims.own;
    const verdict = this.claims.judge(claim, this.#peers.isProven);
    const { host } = claim;
    if (!verdict.accepted) {
      this.#accepted.delete(peer.key);
      this.#peers.send(peer, { t: 'claim-answer', host, accepted: false, by: verdict.by });
      this.#showPeer(peer.key);
      return;
    }
    this.#accepted.set(peer.key, claim);
    if (before !== host) this.#shared.changed();
    if (verdict.displaced !== null) {
      this.#accepted.delete(verdict.displaced);
      this.#showPeer(verdict.displaced);
    }
    if (verdict.ownMoved) this.#ownMoved(own);
    if (verdict.moved) this.#shared.notice('address-moved', { nick: this.nicks.shown(peer.key), peer: peer.key });
    if (before !== host || !claim.held) {
      this.#peers.send(peer, { t: 'claim-answer', host, accepted: true, by: null });
    }
    this.#showPeer(peer.key);
  }

  #ownMoved(before: AddressClaim): void {
    if (before.attempt === ASKED) this.#shared.notice('address-conflict');
    if (this.#shownSelf !== '') this.#shared.notice('address-moved', { nick: this.nick });
    this.#tellAll();
    this.#shared.changed();
  }

  /** Announces what the state now says, where that is news. */
  #settle(): void {
    this.#settled = true;
    this.#placeAsked();
    for (const key of this.#shownPeers.keys()) this.#showPeer(key);
    const { ipv4 } = this;
    if (ipv4 === null || ipv4 === this.#shownSelf) return;
    this.#shownSelf = ipv4;
    this.#shared.emit({ type: 'self-address', ipv4, prefixLength: PREFIX_LENGTH, ipv6: this.ipv6 });
  }

  /** An address that was asked for counts only inside the room's prefix. */
  #placeAsked(): void {
    const { own } = this.claims;
    if (this.#asked === null || own.attempt !== ASKED) return;
    if (this.#asked === this.#network() + own.host) return;
    if (this.claims.forgetAsked()) {
      this.#shared.notice('address-conflict');
      this.#tellAll();
    }
  }

  #showPeer(key: PeerKey): void {
    if (!this.#peers.isProven(key)) return;
    const ipv4 = this.ipv4Of(key);
    const text = ipv4 ?? '';
    if (this.#shownPeers.get(key) === text) return;
    this.#shownPeers.set(key, text);
    this.#shared.emit({ type: 'peer-address', peer: key, ipv4, ipv6: this.ipv6Of(key) });
    const own = this.#options.hostNetworks.some((network) => ipv4 !== null && network.split('/')[0] === ipv4);
    if (own) this.#shared.notice('address-conflict', { nick: this.nicks.shown(key), peer: key });
  }
}
