/** A process of `npm run bench:nat`: runs of one pair over a span of seeds. */
import type { Profile } from '../profiles.ts';
import { work } from './pool.ts';
import { type ConnectSample, connectOnce } from './sample.ts';

/** Seeds from `first` to `last`, both included. */
export interface BenchJob {
  pair: [Profile, Profile];
  first: number;
  last: number;
}

work(async ({ pair, first, last }: BenchJob) => {
  const samples: ConnectSample[] = [];
  for (let seed = first; seed <= last; seed++) samples.push(await connectOnce(pair, seed));
  return samples;
});
