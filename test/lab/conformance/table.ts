/** The NATs that every implementation is held against: nine combinations of mapping and filtering, and four port allocations. */
import type { Dependence, ExpectedNat, ExpectedPorts } from './contract.ts';

export const dependences: readonly Dependence[] = [
  'endpoint-independent',
  'address-dependent',
  'address-and-port-dependent',
];

export const allocations: readonly ExpectedPorts[] = [
  { kind: 'preserved' },
  { kind: 'sequential', step: -3, low: 1024, high: 65535 },
  { kind: 'block', size: 1024, low: 1024, high: 65535 },
  { kind: 'random', low: 1024, high: 65535 },
];

export interface TableRow {
  readonly name: string;
  /** What to configure a NAT with, and what to expect of it: the members' names are the same in both. */
  readonly behaviour: Omit<ExpectedNat, 'external'>;
}

const lifetimeMs = 1_000;

/** Lifetimes are checked on the port-preserving row of each combination; real time passes in the lab. */
function combination(mapping: Dependence, filtering: Dependence, ports: ExpectedPorts): TableRow {
  const timed = ports.kind === 'preserved';
  return {
    name: `${mapping} mapping, ${filtering} filtering, ${ports.kind} ports`,
    behaviour: {
      mapping,
      filtering,
      ports,
      // Both kinds occur in the table, spread over it.
      hairpin: ports.kind !== 'random',
      lifetimeMs: timed ? lifetimeMs : null,
      inboundRefresh: timed && mapping === 'address-dependent',
    },
  };
}

function shortFilter(filtering: Dependence): TableRow {
  return {
    name: `${filtering} filter entries that end before their mapping`,
    behaviour: {
      mapping: 'endpoint-independent',
      filtering,
      ports: { kind: 'preserved' },
      hairpin: true,
      lifetimeMs: 3 * lifetimeMs,
      inboundRefresh: false,
      filterLifetimeMs: lifetimeMs,
    },
  };
}

export const natTable: readonly TableRow[] = [
  ...dependences.flatMap((mapping) =>
    dependences.flatMap((filtering) => allocations.map((ports) => combination(mapping, filtering, ports))),
  ),
  shortFilter('address-dependent'),
  shortFilter('address-and-port-dependent'),
];

/** What netfilter's masquerading has in common with and without random ports: timeouts here are whole seconds. */
export const netfilterBehaviour = {
  filtering: 'address-and-port-dependent',
  hairpin: false,
  lifetimeMs,
  inboundRefresh: true,
} as const satisfies Partial<ExpectedNat>;

/** How it looks to an observer: it keeps the inside port for every remote, as long as no two flows would look alike from outside. */
export const masquerade = { mapping: 'endpoint-independent', ports: { kind: 'preserved' } } as const;
/** Each flow draws a port of its own. */
export const fullyRandom = {
  mapping: 'address-and-port-dependent',
  ports: { kind: 'random', low: 1024, high: 65535 },
} as const;
