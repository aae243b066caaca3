/** Transfers that go on after a restart. */
import { join } from 'node:path';
import * as z from 'zod';
import { privateDirectory, readIfThere, writeAtomic } from '../state/files.ts';

const keptFile = z.object({
  id: z.string().regex(/^[0-9a-f]{32}$/),
  direction: z.enum(['in', 'out']),
  peer: z.string(),
  nick: z.string(),
  name: z.string(),
  size: z.number(),
  sha256: z.string(),
  /** Of the file that is offered; empty for what is received. */
  path: z.string(),
  mtimeMs: z.number(),
});
export type KeptFile = z.infer<typeof keptFile>;
const keptFiles = z.object({ rooms: z.record(z.string(), z.array(keptFile)) });

export interface FilesStore {
  load(): KeptFile[];
  save(files: readonly KeptFile[]): void;
}

/** Of one room, by its topic. A file that cannot be read or written is as good as none: `log` says so. */
export function filesStore(stateDir: string, topic: string, log: (line: string) => void): FilesStore {
  const path = join(stateDir, 'files.json');
  const rooms = (): Record<string, KeptFile[]> => {
    try {
      const bytes = readIfThere(path);
      return bytes === null ? {} : keptFiles.parse(JSON.parse(Buffer.from(bytes).toString())).rooms;
    } catch (error) {
      log(`transfers of before are lost: ${(error as Error).message}`);
      return {};
    }
  };
  return {
    load: () => rooms()[topic] ?? [],
    save(files) {
      const kept = files.map((file) => keptFile.parse(file));
      try {
        privateDirectory(stateDir);
        writeAtomic(path, JSON.stringify({ rooms: { ...rooms(), [topic]: kept } }));
      } catch (error) {
        log(`transfers cannot be kept: ${(error as Error).message}`);
      }
    },
  };
}
