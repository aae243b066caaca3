/** Leases that this program holds, on disk: a run that was killed leaves them to the next. */
import { dirname } from 'node:path';
import * as z from 'zod';
import type { SavedLease } from '../../core/mapping/contract.ts';
import { privateDirectory, readIfThere, writeAtomic } from '../state/files.ts';

/** A few ports at a few networks; older ones have expired. */
const MOST_LEASES = 16;

/** An IPv6 address, with the zone of a link-local one. */
const ZONED_IPV6 = /^[0-9a-f:]{2,45}(?:%.{1,64})?$/i;

const port = z.int().min(1).max(65_535);
const leases = z.array(
  z.object({
    protocol: z.enum(['pcp', 'nat-pmp', 'upnp']),
    transport: z.enum(['udp', 'tcp']),
    gateway: z.union([z.ipv4(), z.string().regex(ZONED_IPV6)]),
    internalPort: port,
    externalPort: port,
    nonce: z
      .string()
      .regex(/^[0-9a-f]{24}$/)
      .nullable(),
    client: z.ipv6().optional(),
    pinhole: z
      .string()
      .regex(/^\d{1,5}$/)
      .optional(),
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
