/**
 * What holds in every run, whatever happened (9-testing, "Rules"), counted where a router or a listener on the wire would
 * count it: nothing here asks the engine what it has spent.
 */
import { pathKey } from './device.ts';
import type { Member, PathChange } from './member.ts';
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
  return [
    ...world.deliveries.violations,
    ...world.members.flatMap((member) => [...probeViolations(member), ...flaps(member, world.members)]),
    ...world.sites.flatMap(routerViolations),
  ];
}

/** Pings to proven addresses leave in any case: in a room of eight under traffic four a second for each. */
function probeViolations({ nick, datagramProbes, starts }: Member): string[] {
  return PROBE_WINDOWS_MS.flatMap((windowMs) => {
    const perRun = PROBE_BURST + (PROBES_PER_SECOND * windowMs) / 1_000;
    const sent = excess(datagramProbes, windowMs, (from, to) => perRun * runsIn(starts, from, to));
    return sent === null ? [] : [`${nick} sent ${sent} pings in ${windowMs} ms`];
  });
}

/** Whoever restarts begins anew, and so do the others' paths to it. Packets that wait for a path to come back have not moved. */
function flaps({ nick, pathChanges }: Member, members: readonly Member[]): string[] {
  const allowed = (from: number, to: number) =>
    PATH_CHANGES_PER_MINUTE * Math.max(...members.map(({ starts }) => runsIn(starts, from, to)));
  return [...new Set(pathChanges.map(({ peer }) => peer))].flatMap((peer) => {
    const changes = pathChanges.filter((change) => change.peer === peer);
    const times = { moved: moves(changes), held: changes.filter(({ path }) => path === null).map(({ at }) => at) };
    return Object.entries(times).flatMap(([what, at]) => {
      const count = excess(at, 60_000, allowed);
      return count === null ? [] : [`${nick} ${what} its path to ${peer.slice(0, 8)} ${count} times in a minute`];
    });
  });
}

function moves(changes: readonly PathChange[]): number[] {
  const taken = changes.flatMap(({ at, path }) => (path === null ? [] : [{ at, key: pathKey(path) }]));
  return taken.filter(({ key }, i) => key !== taken[i - 1]?.key).map(({ at }) => at);
}

/**
 * At each router of a site. The one next to the members tells them apart by their inside addresses; behind it all of them are
 * one client.
 */
function routerViolations({ nats, members }: Site, site: number): string[] {
  const longShots = members.flatMap((member) => member.longShots);
  const usual = (at: number) => !longShots.some((from) => from <= at && at <= from + LONG_SHOT_MS);
  const more = longShots.length > 0 ? LONG_SHOT_MAPPINGS : 0;
  return nats.flatMap(({ bindings }, depth) => {
    const clients = (from: number, to: number) => {
      const runs = members.map(({ starts }) => runsIn(starts, from, to));
      if (depth === 0) return Math.max(1, ...runs);
      // What a router before it forgot comes out of that one anew, by other mappings, and nobody inside can know.
      const forgot = nats.slice(0, depth).flatMap(({ bindings: { cleared } }) => cleared);
      const lives = 1 + forgot.filter((at) => at > from && at <= to).length;
      return lives * runs.reduce((sum, count) => sum + count, 0);
    };
    const over = (what: string, times: readonly number[], lifetimeMs: number, perClient: number) => {
      const windowMs = Math.min(lifetimeMs, LIFETIME_MS);
      const count =
        excess(times, windowMs, (from, to) => perClient * clients(from, to) + more) ??
        excess(times.filter(usual), windowMs, (from, to) => perClient * clients(from, to));
      return count === null
        ? []
        : [`router ${depth} of site ${site} had ${count} ${what} of a client in ${windowMs} ms`];
    };
    const { mappingLifetimeMs, filterLifetimeMs } = bindings.options;
    return bindings
      .costs()
      .flatMap(({ mappings, sessions }) => [
        ...over('mappings', mappings, mappingLifetimeMs, MAPPINGS_PER_LIFETIME),
        ...over('sessions', sessions, filterLifetimeMs, SESSIONS_PER_LIFETIME),
      ]);
  });
}

/** Processes of one member that lived at some moment of this window; at least one. */
function runsIn(starts: readonly number[], from: number, to: number): number {
  const within = starts.filter((at) => at > from && at <= to).length;
  return Math.max(1, within + (starts.some((at) => at <= from) ? 1 : 0));
}

/** The most times that fall into one window of this length and are more than it allows; null where none are. */
function excess(
  times: readonly number[],
  windowMs: number,
  allowed: (from: number, to: number) => number,
): number | null {
  let most: number | null = null;
  let first = 0;
  for (const [i, at] of times.entries()) {
    while ((times[first] as number) <= at - windowMs) first++;
    const count = i - first + 1;
    if (count > (most ?? 0) && count > allowed(at - windowMs, at)) most = count;
  }
  return most;
}
