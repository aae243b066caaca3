/**
 * What holds in every run, whatever happened (9-testing, "Rules"), counted where a router or a listener on the wire would
 * count it: nothing here asks the engine what it has spent.
 */
import type { Member } from './member.ts';
import type { Site, World } from './world.ts';

/** Design, "Budgets": sustained, and the burst that comes before. */
const PROBES_PER_SECOND = 200;
const PROBE_BURST = 64;
/** Windows over which pings are counted: the burst, a second, and what is sustained. */
const PROBE_WINDOWS_MS = [50, 1_000, 10_000];
/** Design, "Budgets": mappings and sessions that one client makes within the lifetime of one, of which 120 s are assumed. */
const MAPPINGS_PER_LIFETIME = 300;
const SESSIONS_PER_LIFETIME = 2_000;
const LIFETIME_MS = 120_000;
/** Of a long shot, beyond those, from the word of its user: a minute for the other's, and the attempt. */
const LONG_SHOT_MAPPINGS = 500;
const LONG_SHOT_MS = 90_000;
/** No flap: a path may be found, improved a few times, and replaced; it may not swing. */
const PATH_CHANGES_PER_MINUTE = 12;

/** Empty where everything holds. */
export function violationsOf(world: World): string[] {
  // Whoever restarts begins anew, and so do the others' paths to it.
  const runs = Math.max(1, ...world.members.map((member) => member.runs));
  return [
    ...world.deliveries.violations,
    ...world.members.flatMap((member) => [...probeViolations(member), ...flaps(member, runs)]),
    ...world.sites.flatMap(routerViolations),
  ];
}

/** Pings to proven addresses leave in any case: in a room of eight under traffic four a second for each. */
function probeViolations({ nick, probes, runs }: Member): string[] {
  return PROBE_WINDOWS_MS.flatMap((windowMs) => {
    const sent = densest(probes, windowMs);
    const allowed = (PROBE_BURST + (PROBES_PER_SECOND * windowMs) / 1_000) * Math.max(1, windowMs > 1_000 ? runs : 1);
    return sent > allowed ? [`${nick} sent ${sent} pings in ${windowMs} ms`] : [];
  });
}

function flaps({ nick, pathChanges }: Member, runs: number): string[] {
  return [...new Set(pathChanges.map(({ peer }) => peer))].flatMap((peer) => {
    const times = pathChanges.filter((change) => change.peer === peer).map(({ at }) => at);
    const count = densest(times, 60_000);
    return count > PATH_CHANGES_PER_MINUTE * runs
      ? [`${nick} moved its path to ${peer.slice(0, 8)} ${count} times in a minute`]
      : [];
  });
}

/** At the router next to the members, by inside address; every process has a budget of its own. */
function routerViolations({ nats, members }: Site, index: number): string[] {
  const runs = Math.max(1, ...members.map((member) => member.runs));
  const [nat] = nats;
  if (nat === undefined) return [];
  const { mappingLifetimeMs, filterLifetimeMs } = nat.bindings.options;
  const longShots = members.flatMap((member) => member.longShots);
  const usual = (at: number) => !longShots.some((from) => from <= at && at <= from + LONG_SHOT_MS);
  const over = (what: string, times: readonly number[], lifetimeMs: number, allowed: number) => {
    const windowMs = Math.min(lifetimeMs, LIFETIME_MS);
    const count = densest(times, windowMs);
    const beside = densest(times.filter(usual), windowMs);
    const more = longShots.length > 0 ? LONG_SHOT_MAPPINGS : 0;
    return count > allowed * runs + more || beside > allowed * runs
      ? [`a member at site ${index} made ${count} ${what} in ${windowMs} ms, ${beside} without its long shots`]
      : [];
  };
  return nat.bindings
    .costs()
    .flatMap(({ mappings, sessions }) => [
      ...over('mappings', mappings, mappingLifetimeMs, MAPPINGS_PER_LIFETIME),
      ...over('sessions', sessions, filterLifetimeMs, SESSIONS_PER_LIFETIME),
    ]);
}

/** The most times that fall into one window of this length. */
function densest(times: readonly number[], windowMs: number): number {
  let most = 0;
  let first = 0;
  for (const [i, at] of times.entries()) {
    while ((times[first] as number) <= at - windowMs) first++;
    most = Math.max(most, i - first + 1);
  }
  return most;
}
