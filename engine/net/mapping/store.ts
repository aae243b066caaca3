/** Leases that this program holds, on disk: a run that was killed leaves them to the next. */
import { dirname } from 'node:path';
import * as z from 'zod';
import type { SavedLease } from '../../core/mapping/contract.ts';
import { privateDirectory, readIfThere, writeAtomic } from '../state/files.ts';

/** A few ports at a few networks; older ones have expired. */
const MOST_LEASES = 16;

const port = z.int().min(1).max(65_535);
const leases = z.array(
  z.object({
    protocol: z.enum(['pcp', 'nat-pmp', 'upnp']),
    transport: z.enum(['udp', 'tcp']),
    gateway: z.ipv4(),
    internalPort: port,
    externalPort: port,
    nonce: z
      .string()
      .regex(/^[0-9a-f]{24}$/)
      .nullable(),
  }),
);

export interface LeaseStore {
  load(): SavedLease[];
  /** Throws WarrenError('disk'). */
  save(leases: readonly SavedLease[]): void;
}

/** A file that is missing or damaged holds nothing: leases expire by themselves. */
export function leaseStore(path: string): LeaseStore {
  return {
    load() {
      try {
        const bytes = readIfThere(path);
        return bytes === null ? [] : leases.parse(JSON.parse(Buffer.from(bytes).toString()));
      } catch {
        return [];
      }
    },
    save(held) {
      privateDirectory(dirname(path));
      writeAtomic(path, `${JSON.stringify(held.slice(0, MOST_LEASES), null, 2)}\n`);
    },
  };
}
