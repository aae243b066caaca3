import { readdirSync, readFileSync } from 'node:fs';

export interface Footprint {
  rssMib: number;
  descriptors: number;
  threads: number;
}

/** What a process holds now. */
export function footprint(pid: number): Footprint {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
  return {
    rssMib: field('VmRSS') / 1_024,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    threads: field('Threads'),
  };
}
