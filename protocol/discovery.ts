/** How games find each other in the room, as the snapshot shows it. */
import * as z from 'zod';

/**
 * How broadcasts of this host get into the tunnel. `routes` and `metric` (Windows) take 255.255.255.255 away from the home LAN
 * while it is on.
 */
export const discoveryWay = z.enum(['off', 'no-interface', 'copies', 'routes', 'metric']);
export type DiscoveryWay = z.infer<typeof discoveryWay>;

/** A game that was seen by its discovery packets. */
export const seenGame = z.object({
  name: z.string(),
  /** Public key of the member, or this host's own. */
  member: z.string(),
  /** `seen`: the game's packets do not tell hosts from players. */
  role: z.enum(['hosting', 'looking', 'seen']),
  /** `ip:port` to type into the game, where the packet says it. */
  address: z.string().nullable(),
  /** What the host calls it: hostile text. */
  title: z.string().max(64).nullable(),
  /** Unix time in ms of the last packet. */
  at: z.number(),
});
export type SeenGame = z.infer<typeof seenGame>;

/** Result of `discovery-check`: who answered a probe broadcast and a probe multicast, and after how long. */
export const discoveryCheck = z.object({
  members: z.array(
    z.object({
      nick: z.string(),
      ipv4: z.string().nullable(),
      broadcastMs: z.number().nullable(),
      multicastMs: z.number().nullable(),
    }),
  ),
});
export type DiscoveryCheck = z.infer<typeof discoveryCheck>;

export const discoveryView = z.object({
  way: discoveryWay,
  /** Datagrams since the engine started: from this host, and from members. */
  sent: z.number(),
  received: z.number(),
  /** Not carried: over the limits, the same again within 50 ms, on its way back into the tunnel. */
  rateLimited: z.number(),
  duplicates: z.number(),
  loops: z.number(),
  /** Who hosts what, newest first. */
  games: z.array(seenGame).default([]),
});
export type DiscoveryView = z.infer<typeof discoveryView>;

export const DISCOVERY_OFF: DiscoveryView = {
  way: 'off',
  sent: 0,
  received: 0,
  rateLimited: 0,
  duplicates: 0,
  loops: 0,
  games: [],
};
