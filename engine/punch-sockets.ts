import type { Budget, Dependence } from './core/budget.ts';
import type { PeerKey } from './core/room/contract.ts';
import { decodeBindingResponse, encodeBindingRequest } from './core/stun/binding.ts';
import type { ClockPort, DeviceEvent, DevicePort, Endpoint, RandomPort, SocketId } from './ports.ts';

const TRANSACTION_ID_BYTES = 12;

interface PunchSocket {
  /** The member that it was opened for. */
  key: PeerKey;
  /** Transaction of the request in flight, in hex. */
  asked: string | null;
  /** External port as the member saw it last. */
  observed: number | null;
}

export interface PunchSocketsOptions {
  clock: ClockPort;
  device: Pick<DevicePort, 'openSockets' | 'closeSockets' | 'send'>;
  budget: Budget;
  random: RandomPort;
  answering(turn: number): Endpoint | null;
}

/** The device's extra sockets: opened by punches, kept while a path leaves by them. */
export class PunchSockets {
  readonly #options: PunchSocketsOptions;
  readonly #sockets = new Map<SocketId, PunchSocket>();

  constructor(options: PunchSocketsOptions) {
    this.#options = options;
  }

  has(id: SocketId): boolean {
    return this.#sockets.has(id);
  }

  ownerOf(id: SocketId): PeerKey | null {
    return this.#sockets.get(id)?.key ?? null;
  }

  owners(): Set<PeerKey> {
    const owners = new Set<PeerKey>();
    for (const { key } of this.#sockets.values()) owners.add(key);
    return owners;
  }

  of(key: PeerKey): SocketId[] {
    const ids: SocketId[] = [];
    for (const [id, socket] of this.#sockets) if (socket.key === key) ids.push(id);
    return ids;
  }

  /** Fewer, or none, where the host is out of sockets. A long shot's are of its own account. */
  open(key: PeerKey, count: number, longShot: boolean): { id: SocketId; port: number }[] {
    try {
      const opened = this.#options.device.openSockets(count, 4);
      for (const { id } of opened) this.#sockets.set(id, { key, asked: null, observed: null });
      if (longShot) this.#options.budget.lend(opened.map(({ id }) => id));
      return opened;
    } catch {
      return [];
    }
  }

  close(ids: SocketId[]): void {
    for (const id of ids) this.#sockets.delete(id);
    this.#options.device.closeSockets(ids);
    this.#options.budget.closed(ids);
  }

  /** Asks a server how this socket looks from outside; answered by a `stun` event. */
  ask(id: SocketId, turn: number, dependent: Dependence): void {
    const { random, answering, budget, device, clock } = this.#options;
    const socket = this.#sockets.get(id);
    const to = answering(turn);
    if (socket === undefined || to === null) return;
    const transactionId = random(TRANSACTION_ID_BYTES);
    socket.asked = hex(transactionId);
    budget.sent(clock.now(), id, to, dependent);
    device.send(id, to, encodeBindingRequest({ transactionId }));
  }

  /** The external endpoint that an answer names; null for what was not asked. */
  mapped(event: Extract<DeviceEvent, { type: 'stun' }>): Endpoint | null {
    const decoded = decodeBindingResponse(event.bytes);
    const socket = this.#sockets.get(event.socket);
    if (socket === undefined || decoded.kind !== 'ok' || decoded.response.kind !== 'success') return null;
    if (socket.asked !== hex(decoded.response.transactionId)) return null;
    socket.asked = null;
    return decoded.response.mapped;
  }

  observed(id: SocketId, port: number): void {
    const socket = this.#sockets.get(id);
    if (socket !== undefined) socket.observed = port;
  }

  portOf(id: SocketId): number | null {
    return this.#sockets.get(id)?.observed ?? null;
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
