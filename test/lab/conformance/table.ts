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
  readonly mapping: Dependence;
  readonly filtering: Dependence;
  readonly ports: ExpectedPorts;
  readonly hairpin: boolean;
  readonly lifetimeMs: number | null;
  readonly inboundRefresh: boolean;
  readonly filterLifetimeMs?: number;
}

const lifetimeMs = 1_000;

/** Lifetimes are checked on the port-preserving row of each combination; real time passes in the lab. */
export const natTable: readonly TableRow[] = [
  ...dependences.flatMap((mapping) =>
    dependences.flatMap((filtering) =>
      allocations.map((ports) => ({
        name: `${mapping} mapping, ${filtering} filtering, ${ports.kind} ports`,
        mapping,
        filtering,
        ports,
        // Both kinds occur in the table, spread over it.
        hairpin: ports.kind !== 'random',
        lifetimeMs: ports.kind === 'preserved' ? lifetimeMs : null,
        inboundRefresh: ports.kind === 'preserved' && mapping === 'address-dependent',
      })),
    ),
  ),
  ...(['address-dependent', 'address-and-port-dependent'] as const).map((filtering) => ({
    name: `${filtering} filter entries that end before their mapping`,
    mapping: 'endpoint-independent' as const,
    filtering,
    ports: { kind: 'preserved' as const },
    hairpin: true,
    lifetimeMs: 3 * lifetimeMs,
    inboundRefresh: false,
    filterLifetimeMs: lifetimeMs,
  })),
];

/** A row with the external addresses that the implementation gave its NAT. */
export function expectation(row: TableRow, external: readonly string[]): ExpectedNat {
  const { name: _, ...behaviour } = row;
  return { ...behaviour, external };
}
