/** Requests a source may send: an answer is two to five times its request, so a forged source must not get many. */
import { SourceRate } from '../source-rate.ts';

/** A punch measures with a few hundred sockets at once, and a carrier's NAT puts several players behind one address. */
const BURST = 600;
const PER_SECOND = 100;

export class StunRateLimit extends SourceRate {
  constructor() {
    super(PER_SECOND, BURST);
  }
}
