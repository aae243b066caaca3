import { readFileSync } from 'node:fs';

/** Runs `work` and tells what the host of a virtual machine took of its processors' time meanwhile, 0 to 1. */
export async function stolenWhile<T>(work: () => Promise<T>): Promise<{ result: T; stolen: number }> {
  const before = processorTime();
  const result = await work();
  const after = processorTime();
  return { result, stolen: (after.stolen - before.stolen) / Math.max(1, after.all - before.all) };
}

/** Of all processors so far, in ticks (proc_stat(5)): user, nice, system, idle, iowait, irq, softirq, steal. */
function processorTime(): { all: number; stolen: number } {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n', 1);
  const fields = line.split(/ +/).slice(1, 9).map(Number);
  return { all: fields.reduce((sum, field) => sum + field, 0), stolen: fields[7] ?? 0 };
}
