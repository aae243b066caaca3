/**
 * Members' names in the DNS. A nickname becomes a label in this way, so that everyone can guess it:
 *
 * 1. lower case; blanks, dots and underscores become hyphens; ASCII that no host name has is left out;
 * 2. other letters stay, written as DNS writes them (IDNA, `xn--…`);
 * 3. where nothing is left, or two come out the same, the beginning of the key stands behind.
 */
import { domainToASCII } from 'node:url';
import type { RoomView } from '../core/room/contract.ts';

export const DOMAIN = 'warren';
const LABEL_BYTES = 63;

export interface NamedHost {
  key: string;
  /** `ann.warren`, in ASCII. */
  name: string;
  ipv4: string | null;
  ipv6: string | null;
}

/** Empty when nothing of the nickname can be in a name. */
export function labelOf(nick: string): string {
  const plain = nick
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s._]+/gu, '-')
    .replace(/[\0-,/:-`{-\x7f]/g, '')
    .replace(/-+/g, '-')
    .replace(/^-|-$/g, '');
  // Cut until it fits as ASCII: the encoded form of other scripts is longer.
  for (let letters = [...plain]; letters.length > 0; letters = letters.slice(0, -1)) {
    const label = domainToASCII(letters.join('').replace(/-$/, ''));
    if (label !== '' && label.length <= LABEL_BYTES && /^[a-z0-9-]+$/.test(label)) return label;
  }
  return '';
}

/** Everyone with an address, this host first. */
export function namesOf(room: RoomView): NamedHost[] {
  const own = { key: room.publicKey, nick: room.nick, ipv4: room.ipv4, ipv6: room.ipv6 };
  const others = room.members
    .filter(({ introduced, blocked }) => introduced && !blocked)
    .toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const taken = new Set<string>();
  return [own, ...others].map(({ key, nick, ipv4, ipv6 }) => {
    const wish = labelOf(nick);
    const label = wish === '' || taken.has(wish) ? withKey(wish || 'player', key) : wish;
    taken.add(label);
    return { key, name: `${label}.${DOMAIN}`, ipv4, ipv6 };
  });
}

function withKey(label: string, key: string): string {
  return `${label.slice(0, LABEL_BYTES - 9)}-${Buffer.from(key, 'base64').toString('hex').slice(0, 8)}`;
}
