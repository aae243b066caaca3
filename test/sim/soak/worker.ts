/** A process of `npm run soak:sim`: one world a job. */
import { work } from '../bench/pool.ts';
import { soak } from './run.ts';

work((seed: number) => soak(seed));
