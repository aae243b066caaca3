import type { NatReport } from '../protocol/nat.ts';
import type { Candidate } from '../protocol/peer.ts';
import { parseAddress } from './core/candidates/address.ts';
import type { MappingView } from './core/mapping/contract.ts';
import { isBehindAnotherNat } from './core/mapping/external.ts';
import type { Endpoint, OpenMapping, PortMappingPort } from './ports.ts';

/** Local ports of the tunnel's sockets; null where there is no such socket. */
export interface TunnelPorts {
  v4: number | null;
  v6: number | null;
}

/**
 * What the routers open for the tunnel: a port for its IPv4 socket and a pinhole for its IPv6 one. Asked for while the
 * setting is on, candidates while the routers grant them.
 */
export class Mappings {
  readonly #port: PortMappingPort | null;
  readonly #ports: TunnelPorts;
  readonly #changed: () => void;
  #mapping: OpenMapping | null = null;
  #pinhole: OpenMapping | null = null;
  /** Deletions under way. */
  #closing: Promise<void> = Promise.resolve();
  #on = false;
  #seen = '';

  /** `port` null: this host cannot map. */
  constructor(port: PortMappingPort | null, ports: TunnelPorts, changed: () => void) {
    this.#port = port;
    this.#ports = ports;
    this.#changed = changed;
  }

  /** Off deletes what was mapped. */
  set(on: boolean): void {
    if (this.#on === on) return;
    this.#on = on;
    if (!on || this.#port === null) return this.#close();
    const { v4, v6 } = this.#ports;
    if (v4 !== null) this.#mapping = this.#port.open('udp', v4, this.#changed);
    if (v6 !== null) this.#pinhole = this.#port.pinhole('udp', v6, this.#changed);
  }

  /** Whether there is nothing to wait for: it is off, granted, or refused. Without `ipv6` nobody waits for a pinhole. */
  settled(ipv6: boolean): boolean {
    return [this.#mapping, ipv6 ? this.#pinhole : null].every((open) => open === null || open.view().state !== 'none');
  }

  refresh(): void {
    this.#mapping?.refresh();
    this.#pinhole?.refresh();
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

  /** The endpoint that the IPv6 router lets everybody in to. */
  pinholes(): Endpoint[] {
    const view = this.#pinhole?.view();
    return view?.state === 'active' ? [view.external] : [];
  }

  /** What `describe` adds, as text. */
  state(): string {
    if (!this.#on) return 'off';
    if (this.#mapping === null && this.#pinhole === null) return 'none';
    return JSON.stringify([this.#mapping?.view(), this.#pinhole?.view()]);
  }

  /** `nat` with what is known of the mapping. */
  describe(nat: NatReport): NatReport {
    if (!this.#on) return { ...nat, portMapping: { state: 'off' } };
    const pinhole = describePinhole(this.#pinhole?.view() ?? { state: 'none' });
    const view = this.#mapping?.view() ?? { state: 'none' };
    if (view.state !== 'active') return { ...nat, portMapping: { state: view.state, ...pinhole } };
    const { protocol, external } = view;
    const doubleNat = isBehindAnotherNat(external.ip, nat.publicAddresses);
    const carrier = parseAddress(external.ip)?.scope === 'carrier-nat';
    return {
      ...nat,
      cgnat: carrier ? true : nat.cgnat,
      portMapping: { state: 'active', protocol, external: endpointText(external), doubleNat, ...pinhole },
    };
  }

  /** Resolves when the router has heard of it. Idempotent. */
  async stop(): Promise<void> {
    this.#on = false;
    this.#close();
    await this.#closing;
  }

  #close(): void {
    const open = [this.#mapping, this.#pinhole].filter((mapping) => mapping !== null);
    this.#mapping = null;
    this.#pinhole = null;
    if (open.length > 0) {
      this.#closing = Promise.all([this.#closing, ...open.map((mapping) => mapping.close())]).then(() => {});
    }
  }
}

/** Nothing where no IPv6 router was asked, or none has answered yet. */
function describePinhole(view: MappingView): Pick<NatReport['portMapping'], 'pinhole'> {
  if (view.state === 'none') return {};
  if (view.state === 'failed') return { pinhole: { state: 'failed' } };
  const { protocol, external } = view;
  // NAT-PMP knows no IPv6.
  return protocol === 'nat-pmp' ? {} : { pinhole: { state: 'active', protocol, external: endpointText(external) } };
}

function endpointText({ ip, port }: Endpoint): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}
