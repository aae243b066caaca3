/** Who plays or hosts what, by samples of the packets with which games look for each other. */
import type { SeenGame } from '../../protocol/discovery.ts';
import { type GameEntry, recognise } from '../core/discovery/games.ts';
import type { PeerKey } from '../core/room/contract.ts';
import type { ClockPort, DeviceEvent } from '../ports.ts';
import { decodeAnnouncement } from './minecraft.ts';

/** Games announce themselves every few seconds; one that has ended should not stay in sight. */
const SHOWN_MS = 15_000;
/** A member whose packets fit every game at once fills no more than this. */
const KEPT_PER_MEMBER = 8;
const TITLE_CHARACTERS = 64;

export class SeenGames {
  readonly #clock: ClockPort;
  readonly #table: readonly GameEntry[];
  readonly #seen = new Map<PeerKey, Map<string, SeenGame>>();

  constructor(clock: ClockPort, table: readonly GameEntry[]) {
    this.#clock = clock;
    this.#table = table;
  }

  heard(member: PeerKey, { from, to, bytes }: Extract<DeviceEvent, { type: 'discovery' }>): void {
    const game = recognise(this.#table, to, bytes);
    if (game === null) return;
    const said = decodeAnnouncement(bytes);
    const role = game.host === null ? 'seen' : game.host ? 'hosting' : 'looking';
    const games = this.#seen.get(member) ?? new Map<string, SeenGame>();
    // The newest last.
    games.delete(game.name);
    games.set(game.name, {
      name: game.name,
      member,
      role,
      address: role === 'hosting' && said ? `${from.ip}:${said.port}` : null,
      title: said?.title.slice(0, TITLE_CHARACTERS) || null,
      at: Math.round(this.#clock.epoch()),
    });
    const [oldest] = games.keys();
    if (games.size > KEPT_PER_MEMBER && oldest !== undefined) games.delete(oldest);
    this.#seen.set(member, games);
  }

  /** Of the members that are here, newest first. */
  view(isHere: (member: PeerKey) => boolean): SeenGame[] {
    const since = this.#clock.epoch() - SHOWN_MS;
    for (const [member, games] of this.#seen) {
      for (const [name, { at }] of games) if (at < since) games.delete(name);
      if (games.size === 0 || !isHere(member)) this.#seen.delete(member);
    }
    return [...this.#seen.values()].flatMap((games) => [...games.values()]).toSorted((a, b) => b.at - a.at);
  }
}
