/**
 * Who has which host number. A claim is tentative until one peer accepts it; held beats tentative; between equals the
 * lower hash of the key wins. Absent members' claims are kept, so that addresses do not move.
 */
import type { AddressClaim } from '../../../protocol/peer.ts';
import { compareBytes, keyFromBase64 } from '../crypto/bytes.ts';
import type { PeerKey } from './contract.ts';
import { ASKED, claimOrder, HOSTS, hostOf } from './addresses.ts';

/** What the schema lets travel and the store keep. */
const MAX_KNOWN = 249;

export type Verdict =
  | { accepted: true; ownMoved: boolean; displaced: PeerKey | null; moved: boolean }
  | { accepted: false; by: AddressClaim };

export class Claims {
  own: AddressClaim;
  readonly #topic: Uint8Array;
  readonly #ownKey: PeerKey;
  readonly #known = new Map<PeerKey, AddressClaim>();
  readonly #order = new Map<PeerKey, Uint8Array>();

  /** `askedHost`: the host number that the user wants, or null. */
  constructor(topic: Uint8Array, ownKey: PeerKey, remembered: AddressClaim[], askedHost: number | null) {
    this.#topic = topic;
    this.#ownKey = ownKey;
    for (const claim of remembered) if (claim.key !== ownKey && isClaim(claim)) this.#known.set(claim.key, claim);
    const own = remembered.find((claim) => claim.key === ownKey && isClaim(claim));
    this.own = own ?? this.#nextOwn(0);
    if (askedHost !== null && askedHost !== this.own.host) {
      this.own = { key: ownKey, host: askedHost, attempt: ASKED, held: false };
    }
  }

  /** Own claim first. */
  all(): AddressClaim[] {
    return [this.own, ...this.#known.values()];
  }

  of(key: PeerKey): AddressClaim | null {
    return this.#known.get(key) ?? null;
  }

  /** A present member speaks for itself. `present` tells who else is here. */
  judge(claim: AddressClaim, present: (key: PeerKey) => boolean): Verdict {
    const before = this.#known.get(claim.key);
    const moved = before !== undefined && before.host !== claim.host;
    const rival = this.#holder(claim.host, claim.key);
    if (rival === null) return this.#accept(claim, moved, null);
    if (rival.key === this.#ownKey) {
      if (!this.#beats(claim, this.own)) return this.#refuse(claim, this.own);
      const verdict = this.#accept(claim, moved, null);
      this.#moveOwn();
      return { ...verdict, ownMoved: true };
    }
    // Nobody who is away takes a number from one who uses it.
    const wins = this.#beats(claim, rival) || (claim.held && !present(rival.key));
    if (!wins) return this.#refuse(claim, rival);
    this.#known.delete(rival.key);
    return this.#accept(claim, moved, rival.key);
  }

  /** What another member says about those who are away: believed where it contradicts nothing that is known. */
  learn(claims: AddressClaim[], present: (key: PeerKey) => boolean): boolean {
    let learned = false;
    for (const claim of claims) {
      const news = claim.key !== this.#ownKey && !present(claim.key) && !this.#known.has(claim.key);
      if (!news || !isClaim(claim) || this.#known.size >= MAX_KNOWN) continue;
      if (this.#holder(claim.host, claim.key) !== null) continue;
      this.#known.set(claim.key, claim);
      learned = true;
    }
    return learned;
  }

  /** A peer accepted the own claim; true when that changed anything. */
  accepted(host: number): boolean {
    if (this.own.host !== host || this.own.held) return false;
    this.own = { ...this.own, held: true };
    return true;
  }

  /** A peer refused the own claim and named a better one; true when the own number moved. */
  refused(host: number, by: AddressClaim): boolean {
    const better = by.key !== this.#ownKey && by.host === this.own.host && isClaim(by) && this.#beats(by, this.own);
    if (this.own.host !== host || !better) return false;
    if (!this.#known.has(by.key) && this.#known.size < MAX_KNOWN) this.#known.set(by.key, by);
    this.#moveOwn(by.host);
    return true;
  }

  /** The number that the user asked for is outside of the room's prefix; true when another was taken. */
  forgetAsked(): boolean {
    if (this.own.attempt !== ASKED) return false;
    this.#moveOwn();
    return true;
  }

  #accept(claim: AddressClaim, moved: boolean, displaced: PeerKey | null): Verdict & { accepted: true } {
    // Accepted by one is held: that one is us.
    if (this.#known.has(claim.key) || this.#makeRoom()) this.#known.set(claim.key, { ...claim, held: true });
    return { accepted: true, ownMoved: false, displaced, moved };
  }

  #refuse(claim: AddressClaim, by: AddressClaim): Verdict {
    this.#known.delete(claim.key);
    return { accepted: false, by };
  }

  /** Tentative claims go before held ones; a full table of held ones still lets a present member in. */
  #makeRoom(): boolean {
    if (this.#known.size < MAX_KNOWN) return true;
    const [oldest] = [...this.#known.values()].toSorted((a, b) => Number(a.held) - Number(b.held));
    return oldest === undefined || this.#known.delete(oldest.key);
  }

  #moveOwn(avoid = 0): void {
    this.own = this.#nextOwn(avoid);
  }

  /** The first attempt that nobody holds. */
  #nextOwn(avoid: number): AddressClaim {
    const key = keyFromBase64(this.#ownKey) ?? new Uint8Array(32);
    for (let attempt = 0; attempt < ASKED; attempt++) {
      const host = hostOf(this.#topic, key, attempt);
      if (host !== avoid && this.#holder(host, this.#ownKey) === null) {
        return { key: this.#ownKey, host, attempt, held: false };
      }
    }
    throw new Error('4,094 host numbers cannot run out with 250 members');
  }

  #holder(host: number, except: PeerKey): AddressClaim | null {
    if (except !== this.#ownKey && this.own.host === host) return this.own;
    for (const claim of this.#known.values()) if (claim.host === host && claim.key !== except) return claim;
    return null;
  }

  #beats(a: AddressClaim, b: AddressClaim): boolean {
    if (a.held !== b.held) return a.held;
    return compareBytes(this.#orderOf(a.key), this.#orderOf(b.key)) < 0;
  }

  #orderOf(key: PeerKey): Uint8Array {
    const known = this.#order.get(key);
    if (known !== undefined) return known;
    const order = claimOrder(this.#topic, keyFromBase64(key) ?? new Uint8Array(32));
    if (this.#order.size > 1_000) this.#order.clear();
    this.#order.set(key, order);
    return order;
  }
}

function isClaim(claim: AddressClaim): boolean {
  return claim.host >= 1 && claim.host <= HOSTS && keyFromBase64(claim.key) !== null;
}
