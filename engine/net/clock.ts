import type { ClockPort } from '../ports.ts';

/** Longest delay that setTimeout takes (2^31 - 1 ms); a later wake-up is reached in steps. */
const LONGEST_MS = 2_147_483_647;

const now = (): number => Number(process.hrtime.bigint()) / 1e6;

/** CLOCK_MONOTONIC, the clock of the native device's timestamps too. */
export const systemClock: ClockPort = {
  now,
  epoch: () => Date.now(),
  at(at, callback) {
    let timer: NodeJS.Timeout;
    const wait = (): void => {
      const left = Math.ceil(at - now());
      timer = left > LONGEST_MS ? setTimeout(wait, LONGEST_MS) : setTimeout(callback, Math.max(0, left));
    };
    wait();
    return () => clearTimeout(timer);
  },
};
