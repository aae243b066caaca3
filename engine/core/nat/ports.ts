/** A first word on how external ports are drawn. The model with probabilities belongs to the punch plans. */
import type { NatReport } from '../../../protocol/nat.ts';
import { PORT_MODEL_MIN_MAPPINGS } from './tuning.ts';

/** Local and external port of one mapping, in the order in which they were made. */
export interface PortSample {
  local: number;
  external: number;
}

/** Foreign connections take ports in between: a sequential NAT shows steps of one sign below this. */
const MAX_SEQUENTIAL_STEP = 32;

const UNKNOWN: NatReport['ports'] = { kind: 'unknown', step: null, low: null, high: null };

export function portsOf(samples: readonly PortSample[]): NatReport['ports'] {
  const sockets = new Set(samples.map((sample) => sample.local));
  const preserved = samples.every((sample) => sample.local === sample.external);
  // One preserved port may be chance or a static mapping; two sockets are a rule.
  if (preserved && sockets.size >= 2) return { ...UNKNOWN, kind: 'preserved' };
  const externals = [...new Set(samples.map((sample) => sample.external))];
  if (externals.length < PORT_MODEL_MIN_MAPPINGS) return UNKNOWN;
  const steps = externals.slice(1).map((port, i) => port - (externals[i] ?? port));
  const sequential = [1, -1].find((sign) =>
    steps.every((step) => step * sign > 0 && step * sign <= MAX_SEQUENTIAL_STEP),
  );
  const range = { low: Math.min(...externals), high: Math.max(...externals) };
  if (sequential === undefined) return { kind: 'random', step: null, ...range };
  const smallest = Math.min(...steps.map(Math.abs));
  return { kind: 'sequential', step: sequential * smallest, ...range };
}
