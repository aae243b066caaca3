/** How often a path that has answered is probed. */
import { isDirect } from './choice.ts';
import type { PathRecord } from './path.ts';
import {
  ACTIVE_PROBE_MS,
  KEEPALIVE_MS,
  KEEPALIVE_SHARE,
  KEPT_STANDBYS,
  MAX_KEEPALIVE_MS,
  PASSED_OVER_PROBE_MS,
  RELAY_ACTIVE_PROBE_MS,
  RELAY_ALERT_MS,
  RELAY_IDLE_PROBE_MS,
  SPARE_PATH_MS,
  WARM_UP_PROBE_MS,
  WARM_UP_PROBES,
} from './tuning.ts';

export interface Pace {
  /** Data was sent lately. */
  active: boolean;
  /** Since when the direct path in use is in doubt; null while it is not. */
  alertSince: number | null;
  /** Key of the path in use. */
  chosen: string | null;
  /** That is a relay. */
  relayed: boolean;
  /** Between sends on an idle path, so that no mapping expires. */
  keepaliveMs: number;
  /** Direct paths that live, best standby first. */
  standbys: readonly string[];
}

/** 80 % of what our own NAT is known to allow, because only our own sends are sure to refresh it. */
export function keepaliveMs(lifetimeSeconds: number | null | undefined): number {
  if (lifetimeSeconds == null) return KEEPALIVE_MS;
  return Math.min(KEEPALIVE_SHARE * lifetimeSeconds * 1_000, MAX_KEEPALIVE_MS);
}

/** Next probe on a living path. */
export function nextProbeAt(record: PathRecord, pace: Pace, now: number): number {
  const everyMs = isDirect(record.kind) ? directPaceMs(record, pace, now) : relayPaceMs(record, pace, now);
  return record.lastProbeAt + everyMs;
}

function directPaceMs(record: PathRecord, pace: Pace, now: number): number {
  const doubted = record.mustProve || record.overdue > 0 || pace.alertSince !== null;
  if (doubted || now < record.heldUntil) return ACTIVE_PROBE_MS;
  if (record.probes < WARM_UP_PROBES) return WARM_UP_PROBE_MS;
  if (record.key === pace.chosen) return pace.active ? ACTIVE_PROBE_MS : pace.keepaliveMs;
  if (pace.relayed) return PASSED_OVER_PROBE_MS;
  return pace.standbys.indexOf(record.key) < KEPT_STANDBYS ? pace.keepaliveMs : SPARE_PATH_MS;
}

/** Its death is told by its own connection; probes measure it and find a peer that is gone behind it. */
function relayPaceMs(record: PathRecord, pace: Pace, now: number): number {
  if (pace.alertSince !== null) return now - pace.alertSince < RELAY_ALERT_MS ? ACTIVE_PROBE_MS : RELAY_ACTIVE_PROBE_MS;
  if (record.probes < WARM_UP_PROBES) return WARM_UP_PROBE_MS;
  if (record.overdue > 0) return record.overdue < KEPT_STANDBYS ? RELAY_ACTIVE_PROBE_MS : RELAY_IDLE_PROBE_MS;
  return record.key === pace.chosen && pace.active ? RELAY_ACTIVE_PROBE_MS : RELAY_IDLE_PROBE_MS;
}
