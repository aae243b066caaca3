/** A port mapper that follows the user's toggle: what was asked for is mapped only while it is allowed. */
import type { PortMapper } from './contract.ts';

type Mapping = ReturnType<PortMapper['open']>;

interface Entry {
  readonly transport: 'udp' | 'tcp';
  readonly internalPort: number;
  readonly changed: () => void;
  mapping: Mapping | null;
}

export class GatedMapper implements PortMapper {
  readonly #inner: PortMapper;
  readonly #entries = new Set<Entry>();
  #allowed: boolean;

  constructor(inner: PortMapper, allowed: boolean) {
    this.#inner = inner;
    this.#allowed = allowed;
  }

  open(transport: 'udp' | 'tcp', internalPort: number, changed: () => void): Mapping {
    const entry: Entry = { transport, internalPort, changed, mapping: null };
    this.#entries.add(entry);
    if (this.#allowed) this.#map(entry);
    return {
      view: () => entry.mapping?.view() ?? { state: 'off' },
      close: async () => {
        this.#entries.delete(entry);
        await entry.mapping?.close();
      },
    };
  }

  /** Maps what waits, or takes every mapping away. */
  allow(on: boolean): void {
    if (on === this.#allowed) return;
    this.#allowed = on;
    for (const entry of this.#entries) {
      if (on) this.#map(entry);
      else this.#unmap(entry);
    }
  }

  #map(entry: Entry): void {
    entry.mapping = this.#inner.open(entry.transport, entry.internalPort, entry.changed);
  }

  #unmap(entry: Entry): void {
    const { mapping } = entry;
    entry.mapping = null;
    void mapping?.close();
    entry.changed();
  }
}
