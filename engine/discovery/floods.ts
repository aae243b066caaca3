/** Which member says so much to everybody that it must be a mistake: the device holds it back, people are told who it is. */
import type { ClockPort } from '../ports.ts';

/** What is looked at: longer than the burst with which a game searches a range of ports. */
const WINDOW_MS = 2_000;
/** 150 a second. Ten games announce themselves with a tenth of it; the limit itself is 200. */
const FLOOD = 300;
/** A broken program goes on for hours: once is enough for a while. */
const SILENT_MS = 10 * 60_000;

interface Watched {
  /** The window's, oldest first: a burst counts as a whole, wherever it begins. */
  samples: { at: number; count: number }[];
  toldAt: number;
}

export class Floods<Key> {
  readonly #clock: ClockPort;
  readonly #tell: (member: Key) => void;
  readonly #watched = new Map<Key, Watched>();

  constructor(clock: ClockPort, tell: (member: Key) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** `count`: datagrams to everybody that came from the member since the device opened, taken or not. */
  sample(member: Key, count: number): void {
    const now = this.#clock.now();
    const watched = this.#watched.get(member) ?? { samples: [], toldAt: Number.NEGATIVE_INFINITY };
    this.#watched.set(member, watched);
    watched.samples = [...watched.samples.filter(({ at }) => now - at <= WINDOW_MS), { at: now, count }];
    const first = watched.samples[0]?.count ?? count;
    if (count - first < FLOOD || now - watched.toldAt < SILENT_MS) return;
    watched.toldAt = now;
    this.#tell(member);
  }

  forget(member: Key): void {
    this.#watched.delete(member);
  }
}
