/** What a failed attempt leaves behind for the next one with the same member: open sockets here, probes in the other's router. Pure. */
import { MAPPING_LIFETIME_MS } from '../budget.ts';
import type { Endpoint } from '../peer/contract.ts';
import { REUSED_FOR_MS } from './tuning.ts';

interface Failed {
  socketsUntil: number;
  probes: number;
  probesUntil: number;
  remote: Endpoint;
}

export class Leftovers {
  readonly #failed = new Map<string, Failed>();

  /**
   * An attempt that began at `beganAt` has failed for want of mappings. `probes` of the follower's have left one mapping, which
   * is `remote`. They stand as long as it refuses another plan for want of sessions: it knows its router, and we do not.
   */
  failed(now: number, key: string, left: { beganAt: number; probes: number; remote: Endpoint }): void {
    const { beganAt, probes, remote } = left;
    const probesUntil = beganAt + MAPPING_LIFETIME_MS;
    this.#failed.set(key, { socketsUntil: now + REUSED_FOR_MS, probes, probesUntil, remote });
  }

  /** Whether the sockets opened for this member may serve another attempt. */
  hasSockets(now: number, key: string): boolean {
    return now < (this.#failed.get(key)?.socketsUntil ?? 0);
  }

  /** Probes that still stand in the router behind `remote`. */
  standing(now: number, key: string, remote: Endpoint): number {
    const failed = this.#failed.get(key);
    if (failed === undefined || now >= failed.probesUntil) return 0;
    return failed.remote.ip === remote.ip && failed.remote.port === remote.port ? failed.probes : 0;
  }

  /** New mappings enough have met none of the probes: something is wrong with them. */
  disproved(key: string): void {
    const failed = this.#failed.get(key);
    if (failed !== undefined) failed.probes = 0;
  }

  /** Another network: the probes lead to where this host was. */
  clear(): void {
    this.#failed.clear();
  }

  forget(key: string): void {
    this.#failed.delete(key);
  }
}
