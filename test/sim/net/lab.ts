/** A small network for tests of the parts below the engine: one timeline, one Internet, hosts with logs. */
import { createRandom, type Random } from '../core/random.ts';
import { Timeline } from '../core/timeline.ts';
import { Host, type HostSocket } from './host.ts';
import type { LinkOptions } from './link.ts';
import { Nat, type NatOptions } from './nat.ts';
import type { Endpoint } from './packet.ts';
import { Segment } from './segment.ts';

/** A typical home router: endpoint-independent mapping, port-dependent filter. */
export const HOME_NAT: NatOptions = {
  mapping: 'endpoint-independent',
  filtering: 'address-and-port-dependent',
  ports: { kind: 'preserved' },
};

/** A socket with everything it received. */
export interface LoggedSocket extends HostSocket {
  received: { from: Endpoint; bytes: Uint8Array; at: number }[];
}

export class NetLab {
  readonly timeline = new Timeline();
  readonly random: Random;
  readonly internet: Segment;

  constructor(seed: number | string = 1, hops = 6) {
    this.random = createRandom(seed);
    this.internet = new Segment(this.timeline, this.random, 'internet', hops);
  }

  /** A host on the Internet. */
  host(name: string, addresses: string[], link: LinkOptions = { delayMs: 5 }): Host {
    const host = new Host(name, this.random);
    for (const address of addresses) host.connect(this.internet, address, link);
    return host;
  }

  /** A LAN behind a NAT; `outside` is the Internet unless another NAT's LAN is given. */
  site(
    name: string,
    addresses: string[],
    options: NatOptions,
    outside: Segment = this.internet,
  ): { lan: Segment; nat: Nat } {
    const lan = new Segment(this.timeline, this.random, name);
    const nat = new Nat(this.timeline, this.random, name, options);
    nat.attachInside(lan, '192.168.1.1', { delayMs: 0.2 });
    nat.attachOutside(outside, addresses, { delayMs: 10 });
    return { lan, nat };
  }

  insider(lan: Segment, address: string): Host {
    const host = new Host(`${lan.name} ${address}`, this.random);
    host.connect(lan, address, { delayMs: 0.2 });
    return host;
  }

  socket(host: Host, port = 0, family: 4 | 6 = 4): LoggedSocket {
    const received: LoggedSocket['received'] = [];
    const socket = host.bind(family, port, (from, bytes) => received.push({ from, bytes, at: this.timeline.now() }));
    if (socket === null) throw new Error(`port ${port} of ${host.name} is taken`);
    return { ...socket, received };
  }
}

export const HELLO = new Uint8Array([1, 2, 3]);
