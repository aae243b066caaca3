/** How games find each other in the room, as the snapshot shows it. */
import * as z from 'zod';

/** How broadcasts of this host get into the tunnel. `routes` takes 255.255.255.255 away from the home LAN while it is on. */
export const discoveryWay = z.enum(['off', 'no-interface', 'copies', 'routes']);
export type DiscoveryWay = z.infer<typeof discoveryWay>;

export const discoveryView = z.object({
  way: discoveryWay,
  /** Datagrams since the engine started: from this host, and from members. */
  sent: z.number(),
  received: z.number(),
  /** Not carried: over the limits, the same again within 50 ms, on its way back into the tunnel. */
  rateLimited: z.number(),
  duplicates: z.number(),
  loops: z.number(),
});
export type DiscoveryView = z.infer<typeof discoveryView>;

export const DISCOVERY_OFF: DiscoveryView = {
  way: 'off',
  sent: 0,
  received: 0,
  rateLimited: 0,
  duplicates: 0,
  loops: 0,
};
