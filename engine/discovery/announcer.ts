/**
 * Minecraft listens where its system put its membership when it began: often not on the tunnel. So what friends announce is
 * said again, to this host alone, on every other interface.
 *
 * 1. A friend's announcement names a TCP port. A forwarder of this host's own leads there.
 * 2. The announcement is said again with the forwarder's port: a game takes the address from the datagram's source, and that
 *    is now this host's own.
 * 3. When the friend's announcements stop, the forwarder takes no more connections; a game that runs goes on.
 *
 * What this host announces leads into the tunnel while the group does; it is said again on the networks around, which hear
 * their own player as before.
 */

import type { ClockPort, DeviceEvent, Forwarder, LanPort } from '../ports.ts';
import { decodeAnnouncement, encodeAnnouncement, MINECRAFT_GROUP, MINECRAFT_PORT } from './minecraft.ts';

/** Four announcements missed. */
const SILENCE_MS = 6_000;
/** More worlds than a room of friends has open; the rest can be typed. */
const MOST_GAMES = 16;

interface Game {
  /** Null while it is being opened. */
  forwarder: Forwarder | null;
  heardAt: number;
  forget(): void;
}

export interface AnnouncerOptions {
  clock: ClockPort;
  lan: LanPort;
}

export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #games = new Map<string, Game>();
  /** The interface's own address, on which nothing is said again; null while off. */
  #tunnel: string | null = null;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  start(tunnel: string): void {
    this.#tunnel = tunnel;
  }

  /** A friend's datagram to everybody. */
  heard({ from, to, bytes }: Extract<DeviceEvent, { type: 'discovery' }>): void {
    if (this.#tunnel === null || to.ip !== MINECRAFT_GROUP || to.port !== MINECRAFT_PORT) return;
    const said = decodeAnnouncement(bytes);
    if (said === null) return;
    const game = this.#game({ ip: from.ip, port: said.port });
    if (!game?.forwarder) return;
    const again = encodeAnnouncement({ title: said.title, port: game.forwarder.port });
    this.#options.lan.sayHere(MINECRAFT_GROUP, MINECRAFT_PORT, again, this.#tunnel);
  }

  /** This host's own datagram to everybody. */
  spoke({ to, bytes }: Extract<DeviceEvent, { type: 'discovery' }>): void {
    if (this.#tunnel === null || to.ip !== MINECRAFT_GROUP || to.port !== MINECRAFT_PORT) return;
    const said = decodeAnnouncement(bytes);
    if (said === null) return;
    this.#options.lan.sayAround(MINECRAFT_GROUP, MINECRAFT_PORT, encodeAnnouncement(said), this.#tunnel);
  }

  /** Ends every connection. Idempotent; `start` begins again. */
  stop(): void {
    this.#tunnel = null;
    for (const game of this.#games.values()) {
      game.forget();
      game.forwarder?.end();
    }
    this.#games.clear();
  }

  #game(host: { ip: string; port: number }): Game | null {
    const key = `${host.ip}:${host.port}`;
    const { clock, lan } = this.#options;
    const known = this.#games.get(key);
    if (known) {
      known.heardAt = clock.now();
      return known;
    }
    if (this.#games.size >= MOST_GAMES) return null;
    const game: Game = { forwarder: null, heardAt: clock.now(), forget: this.#watch(key) };
    this.#games.set(key, game);
    void lan.forward(host).then((forwarder) => {
      // Stopped meanwhile, or no port was to be had: the next announcement tries again.
      if (this.#games.get(key) !== game) return forwarder?.end();
      if (forwarder === null) return this.#drop(key);
      game.forwarder = forwarder;
    });
    return game;
  }

  /** Until the friend has said nothing for a while. */
  #watch(key: string): () => void {
    const { clock } = this.#options;
    const again = (at: number): (() => void) =>
      clock.at(at, () => {
        const game = this.#games.get(key);
        if (!game) return;
        if (clock.now() - game.heardAt >= SILENCE_MS) this.#drop(key);
        else game.forget = again(game.heardAt + SILENCE_MS);
      });
    return again(clock.now() + SILENCE_MS);
  }

  #drop(key: string): void {
    const game = this.#games.get(key);
    this.#games.delete(key);
    game?.forget();
    game?.forwarder?.close();
  }
}
