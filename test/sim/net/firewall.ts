/** A stateful firewall without translation, as IPv6 routers have it (RFC 6092): what was sent opens the way back. */
import { type Behaviour, dependence } from './bindings.ts';
import { type Endpoint, endpointKey } from './packet.ts';

export class Firewall {
  readonly #filtering: Behaviour;
  readonly #lifetimeMs: number;
  readonly #open = new Map<string, number>();

  constructor(filtering: Behaviour, lifetimeMs: number) {
    this.#filtering = filtering;
    this.#lifetimeMs = lifetimeMs;
  }

  outbound(now: number, inside: Endpoint, remote: Endpoint): void {
    this.#open.set(this.#key(inside, remote), now + this.#lifetimeMs);
  }

  admits(now: number, inside: Endpoint, remote: Endpoint): boolean {
    return (this.#open.get(this.#key(inside, remote)) ?? 0) > now;
  }

  clear(): void {
    this.#open.clear();
  }

  #key(inside: Endpoint, remote: Endpoint): string {
    return `${endpointKey(inside)}|${dependence(this.#filtering, remote)}`;
  }
}
