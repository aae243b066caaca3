/** The rendezvous servers that a distribution of Warren comes with: `{"servers":["wss://...", ...]}`, best first. */
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { isServerUrl } from '../../../protocol/invite.ts';
import { ROOM_LIMITS } from '../../../protocol/limits.ts';

const serverList = z.object({ servers: z.array(z.string().refine(isServerUrl)).max(ROOM_LIMITS.servers) });

/** Empty where there is no list, or one that cannot be used: then a person chooses a server. */
export function builtInServers(path: string): string[] {
  try {
    return serverList.parse(JSON.parse(readFileSync(path, 'utf8'))).servers;
  } catch {
    return [];
  }
}
