/**
 * A gateway's clock tells whether it has lost its mappings: it counts seconds since that happened last. Times of this host
 * are in ms, epochs in seconds. Each watch is told every epoch that comes, and says whether the state was lost in between.
 */
export interface EpochWatch {
  lost(now: number, epoch: number): boolean;
}

/** RFC 6886, 3.6: allows the gateway's clock to run an eighth slow, and two seconds of rounding. */
export function natPmpEpoch(): EpochWatch {
  let last: { at: number; epoch: number } | null = null;
  return {
    lost(now, epoch) {
      const before = last;
      last = { at: now, epoch };
      if (before === null) return false;
      const expected = before.epoch + ((now - before.at) / 1_000) * (7 / 8);
      return epoch < expected - 2;
    },
  };
}

/** RFC 6887, 8.5: also notices a clock that runs too fast, which is another gateway's. */
export function pcpEpoch(): EpochWatch {
  let last: { at: number; epoch: number } | null = null;
  return {
    lost(now, epoch) {
      const before = last;
      last = { at: now, epoch };
      if (before === null) return false;
      if (epoch < before.epoch - 1) return true;
      const ours = (now - before.at) / 1_000;
      const theirs = epoch - before.epoch;
      return ours + 2 < theirs - theirs / 16 || theirs + 2 < ours - ours / 16;
    },
  };
}
