import ipaddr from 'ipaddr.js';
import {
  type BinaryFrame,
  type ClientMessage,
  FRAME_RELAY,
  FRAME_SIGNAL,
  type Hello,
  type ServerMessage,
  type Welcome,
} from '../protocol/server.ts';
import { parseAddress } from './core/candidates/address.ts';
import type { StunServer } from './core/nat/contract.ts';
import type { ServerIndex } from './core/room/contract.ts';
import type { RendezvousConnection, RendezvousHandlers, RendezvousPort } from './ports.ts';

export interface ServersHandlers {
  open(server: ServerIndex): void;
  message(server: ServerIndex, message: ServerMessage): void;
  signal(server: ServerIndex, member: string, payload: Uint8Array): void;
  relayed(server: ServerIndex, member: string, payload: Uint8Array): void;
  closed(server: ServerIndex, code: string): void;
}

interface Link {
  connection: RendezvousConnection;
  remoteIp: string | null;
}

/** The live connections to the room's servers, and the STUN endpoints that they announced. */
export class Servers {
  readonly #rendezvous: RendezvousPort;
  readonly #handlers: ServersHandlers;
  readonly #links = new Map<ServerIndex, Link>();
  /** Kept after a connection ends: STUN answers without it. */
  readonly #stun = new Map<ServerIndex, StunServer>();

  constructor(rendezvous: RendezvousPort, handlers: ServersHandlers) {
    this.#rendezvous = rendezvous;
    this.#handlers = handlers;
  }

  connect(server: ServerIndex, url: string, hello?: Hello): void {
    this.disconnect(server);
    const current = () => this.#links.get(server) === link;
    const handlers: RendezvousHandlers = {
      open: (remoteIp) => {
        if (!current()) return;
        link.remoteIp = remoteIp ?? literalHost(url);
        this.#handlers.open(server);
      },
      message: (message) => {
        if (!current()) return;
        if (message.t === 'welcome') this.#learnStun(server, link, message);
        this.#handlers.message(server, message);
      },
      frame: (frame) => {
        if (current()) this.#frame(server, frame);
      },
      closed: (cause) => {
        if (!current()) return;
        this.#links.delete(server);
        this.#handlers.closed(server, cause.code);
      },
    };
    const connection = this.#rendezvous.connect(url, handlers, hello);
    const link: Link = { connection, remoteIp: null };
    this.#links.set(server, link);
  }

  disconnect(server: ServerIndex): void {
    const link = this.#links.get(server);
    this.#links.delete(server);
    link?.connection.close();
  }

  send(server: ServerIndex, message: ClientMessage): void {
    this.#links.get(server)?.connection.send(message);
  }

  signal(server: ServerIndex, member: string, payload: Uint8Array): boolean {
    return this.#links.get(server)?.connection.frame({ type: FRAME_SIGNAL, member, payload }) ?? false;
  }

  relay(server: ServerIndex, member: string, payload: Uint8Array, express?: boolean): boolean {
    return this.#links.get(server)?.connection.frame({ type: FRAME_RELAY, member, payload }, express) ?? false;
  }

  /** The host's network has changed: what stood may lead nowhere. */
  check(): void {
    for (const { connection } of this.#links.values()) connection.check();
  }

  stunServers(): StunServer[] {
    return [...this.#stun.values()];
  }

  close(): void {
    for (const server of this.#links.keys()) this.disconnect(server);
  }

  #frame(server: ServerIndex, frame: BinaryFrame): void {
    if (frame.type === FRAME_RELAY) this.#handlers.relayed(server, frame.member, frame.payload);
    else this.#handlers.signal(server, frame.member, frame.payload);
  }

  #learnStun(server: ServerIndex, link: Link, welcome: Welcome): void {
    const endpoint = (role: 'primary' | 'second-port' | 'alternate') => {
      const found = welcome.stun.find((entry) => entry.role === role);
      // Any text may come: the device takes addresses only.
      const address = parseAddress(found?.ip ?? link.remoteIp ?? '');
      return found && address && address.scope !== 'unusable' ? { ip: address.ip, port: found.port } : null;
    };
    const primary = endpoint('primary');
    if (primary)
      this.#stun.set(server, { primary, secondPort: endpoint('second-port'), alternate: endpoint('alternate') });
  }
}

/** Behind a proxy nobody tells the server's address, but the link may. */
function literalHost(url: string): string | null {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
  return ipaddr.isValid(host) ? host : null;
}
