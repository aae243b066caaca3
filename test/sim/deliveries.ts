/** Every inner packet of a run, so that none arrives twice or at somebody else. */
export interface Delivery {
  from: string;
  to: string;
  sentAt: number;
  arrivedAt: number | null;
}

export class Deliveries {
  readonly all: Delivery[] = [];
  readonly violations: string[] = [];
  readonly #between = new Map<string, Delivery[]>();

  /** The payload of a new packet: its number, padded. */
  sent(from: string, to: string, at: number, size = 32): Uint8Array {
    const payload = new Uint8Array(size);
    new DataView(payload.buffer).setUint32(0, this.all.length);
    const delivery = { from, to, sentAt: at, arrivedAt: null };
    this.all.push(delivery);
    const key = pairKey(from, to);
    const same = this.#between.get(key);
    if (same === undefined) this.#between.set(key, [delivery]);
    else same.push(delivery);
    return payload;
  }

  arrived(member: string, payload: Uint8Array, at: number): void {
    const number = new DataView(payload.buffer, payload.byteOffset).getUint32(0);
    const delivery = this.all[number];
    if (delivery === undefined) this.violations.push(`${member} got a packet that nobody sent`);
    else if (delivery.to !== member) this.violations.push(`${member} got packet ${number} for ${delivery.to}`);
    else if (delivery.arrivedAt !== null) this.violations.push(`${member} got packet ${number} twice`);
    else delivery.arrivedAt = at;
  }

  between(from: string, to: string): readonly Delivery[] {
    return this.#between.get(pairKey(from, to)) ?? [];
  }
}

function pairKey(from: string, to: string): string {
  return `${from}\n${to}`;
}
