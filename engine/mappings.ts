import type { NatReport } from '../protocol/nat.ts';
import type { Candidate } from '../protocol/peer.ts';
import { parseAddress } from './core/candidates/address.ts';
import { isBehindAnotherNat } from './core/mapping/external.ts';
import type { OpenMapping, PortMappingPort } from './ports.ts';

/** The router's port for the tunnel's IPv4 socket: open while the setting is on, a candidate while the router grants it. */
export class Mappings {
  readonly #port: PortMappingPort | null;
  readonly #internalPort: number | null;
  readonly #changed: () => void;
  #mapping: OpenMapping | null = null;
  /** Deletions under way. */
  #closing: Promise<void> = Promise.resolve();
  #on = false;
  #seen = '';

  /** `port` null: this host cannot map. `internalPort` null: there is no IPv4 socket. */
  constructor(port: PortMappingPort | null, internalPort: number | null, changed: () => void) {
    this.#port = port;
    this.#internalPort = internalPort;
    this.#changed = changed;
  }

  /** Off deletes what was mapped. */
  set(on: boolean): void {
    if (this.#on === on) return;
    this.#on = on;
    if (on && this.#port !== null && this.#internalPort !== null) {
      this.#mapping = this.#port.open('udp', this.#internalPort, this.#changed);
    } else this.#close();
  }

  /** Whether there is nothing to wait for: it is off, granted, or refused. */
  settled(): boolean {
    return this.#mapping === null || this.#mapping.view().state !== 'none';
  }

  refresh(): void {
    this.#mapping?.refresh();
  }

  /** Servers see us under these addresses. Others than before: the router's own may have changed as well. */
  seen(publicAddresses: readonly string[]): void {
    if (publicAddresses.length === 0) return;
    const before = this.#seen;
    this.#seen = JSON.stringify([...publicAddresses].sort());
    if (before !== '' && before !== this.#seen) this.refresh();
  }

  candidates(): Candidate[] {
    const view = this.#mapping?.view();
    return view?.state === 'active' ? [{ kind: 'mapped', ...view.external }] : [];
  }

  /** `nat` with what is known of the mapping. */
  describe(nat: NatReport): NatReport {
    if (!this.#on) return { ...nat, portMapping: { state: 'off' } };
    const view = this.#mapping?.view() ?? { state: 'none' };
    if (view.state !== 'active') return { ...nat, portMapping: { state: view.state } };
    const { protocol, external } = view;
    const doubleNat = isBehindAnotherNat(external.ip, nat.publicAddresses);
    const carrier = parseAddress(external.ip)?.scope === 'carrier-nat';
    return {
      ...nat,
      cgnat: carrier ? true : nat.cgnat,
      portMapping: { state: 'active', protocol, external: `${external.ip}:${external.port}`, doubleNat },
    };
  }

  /** Resolves when the router has heard of it. Idempotent. */
  async stop(): Promise<void> {
    this.#on = false;
    this.#close();
    await this.#closing;
  }

  #close(): void {
    const mapping = this.#mapping;
    this.#mapping = null;
    if (mapping) this.#closing = Promise.all([this.#closing, mapping.close()]).then(() => {});
  }
}
