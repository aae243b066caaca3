/** What must be on the screen for a state, whatever the language: the data itself. */
import type { Sample } from './fixtures/sample.ts';

/** Members that fit on the smallest window without scrolling; the rest may be drawn only when scrolled to. */
const FIRST_MEMBERS = 3;

/** Longer names may end in an ellipsis. */
const NAME_SHOWN = 40;

export function expectedWords({ state, view = 'main', member }: Sample): string[] {
  const { snapshot, connection, invitation } = state;
  if (invitation)
    return [invitation.name, ...invitation.servers.slice(0, 1), ...(invitation.leaving ? [invitation.leaving] : [])];
  if (view === 'network') return networkWords(snapshot.self?.nat);
  if (view === 'settings') return [state.about.version];
  if (snapshot.state === 'off')
    return connection.state === 'idle' ? state.rooms.map(({ name }) => name.slice(0, NAME_SHOWN)) : [];
  const peers =
    member === undefined
      ? snapshot.peers.slice(0, FIRST_MEMBERS)
      : snapshot.peers.filter(({ nick }) => nick === member);
  return [...(snapshot.room && member === undefined ? [snapshot.room.name] : []), ...peers.map(({ nick }) => nick)];
}

function networkWords(nat: NonNullable<Sample['state']['snapshot']['self']>['nat'] | undefined): string[] {
  if (!nat) return [];
  return [...(nat.type.startsWith('NAT') ? [nat.type] : []), ...nat.publicAddresses.slice(0, 1)];
}

/** Without what is not seen: direction marks, isolates, runs of white space. */
export function plain(text: string): string {
  return text
    .replace(/[\u061C\u200B\u200E\u200F\u202A-\u202E\u2060-\u2069]/gu, '')
    .replace(/\s+/gu, ' ')
    .trim();
}
