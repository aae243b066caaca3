/**
 * Keeps the device from answering more addresses than the user's router has room for: it answers pings by itself, and a member
 * could ping from ever new ports. The device counts what it answers and the budget counts it again when it is told, so that
 * what is on its way between them is never allowed twice.
 */
import type { Budget, Dependence } from './core/budget.ts';
import type { ClockPort, DeviceEvent, DevicePort } from './ports.ts';

export interface NewRemotesOptions {
  clock: ClockPort;
  device: Pick<DevicePort, 'allowNewRemotes'>;
  budget: Pick<Budget, 'unaskedLeft' | 'changes' | 'sent'>;
  dependentMappings(): Dependence;
}

/** No socket. */
const UNTOLD = -1;

export class NewRemotes {
  readonly #options: NewRemotesOptions;
  /** So many the device had answered when it last said. */
  #answered = 0;
  #allowed: number | null = null;
  /** Of the budget, when it was last looked at; null: it is to be looked at. */
  #seen: number | null = null;

  constructor(options: NewRemotesOptions) {
    this.#options = options;
  }

  /** What the device made of a ping. */
  heard({ answer, newRemotes }: Extract<DeviceEvent, { type: 'ping' }>): void {
    if (answer === 'known') return;
    const { clock, budget, dependentMappings } = this.#options;
    // The queue of events had no room for some: nobody knows where to, only that something stands there.
    for (let count = this.#answered + 1; count < newRemotes + (answer === 'new' ? 0 : 1); count++) {
      budget.sent(clock.now(), UNTOLD, { ip: '', port: count }, dependentMappings());
    }
    this.#answered = newRemotes;
    // What stood may be gone since.
    this.#seen = null;
  }

  /** After whatever may have used the budget. */
  review(): void {
    const { clock, device, budget, dependentMappings } = this.#options;
    if (this.#seen === budget.changes) return;
    this.#seen = budget.changes;
    const allowed = this.#answered + budget.unaskedLeft(clock.now(), dependentMappings());
    if (allowed === this.#allowed) return;
    this.#allowed = allowed;
    device.allowNewRemotes(allowed);
  }
}
