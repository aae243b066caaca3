import type { Budget, Dependence } from './core/budget.ts';
import { Leftovers } from './core/punch/leftovers.ts';
import type { PeerKey } from './core/room/contract.ts';
import { decodeBindingResponse, encodeBindingRequest } from './core/stun/binding.ts';
import type { Members } from './members.ts';
import type { ClockPort, DeviceEvent, DevicePort, Endpoint, RandomPort, SocketId } from './ports.ts';

const TRANSACTION_ID_BYTES = 12;
/**
 * A socket that has pinged within this time serves another attempt: its mapping still stands. Later one of a chain of routers may
 * have dropped it and make a second one, while the others keep the first: a new socket is counted as what it is.
 */
const REUSABLE_MS = 30_000;

interface PunchSocket {
  /** The member that it was opened for. */
  key: PeerKey;
  /** Transaction of the request in flight, in hex. */
  asked: string | null;
  /** External port as the member saw it last. */
  observed: number | null;
  /** When it pinged last, or was opened. */
  usedAt: number;
}

export interface PunchSocketsOptions {
  clock: ClockPort;
  device: Pick<DevicePort, 'openSockets' | 'closeSockets' | 'send'>;
  budget: Budget;
  members: Pick<Members, 'all' | 'get' | 'event'>;
  random: RandomPort;
  answering(turn: number): Endpoint | null;
}

/** The device's extra sockets: opened by punches, kept while a path leaves by them. */
export class PunchSockets {
  readonly #options: PunchSocketsOptions;
  readonly #sockets = new Map<SocketId, PunchSocket>();
  /** Of members whose sockets and probes wait for the next attempt. */
  readonly leftovers = new Leftovers();

  constructor(options: PunchSocketsOptions) {
    this.#options = options;
  }

  has(id: SocketId): boolean {
    return this.#sockets.has(id);
  }

  ownerOf(id: SocketId): PeerKey | null {
    return this.#sockets.get(id)?.key ?? null;
  }

  of(key: PeerKey): SocketId[] {
    const ids: SocketId[] = [];
    for (const [id, socket] of this.#sockets) if (socket.key === key) ids.push(id);
    return ids;
  }

  /** Those whose mappings stand. */
  reusable(key: PeerKey): SocketId[] {
    const since = this.#options.clock.now() - REUSABLE_MS;
    return this.of(key).filter((id) => (this.#sockets.get(id)?.usedAt ?? 0) >= since);
  }

  pinged(id: SocketId): void {
    const socket = this.#sockets.get(id);
    if (socket !== undefined) socket.usedAt = this.#options.clock.now();
  }

  /** Fewer, or none, where the host is out of sockets. A long shot's are of its own account. */
  open(key: PeerKey, count: number, longShot: boolean): { id: SocketId; port: number }[] {
    try {
      const opened = this.#options.device.openSockets(count, 4);
      const usedAt = this.#options.clock.now();
      for (const { id } of opened) this.#sockets.set(id, { key, asked: null, observed: null, usedAt });
      if (longShot) this.#options.budget.lend(opened.map(({ id }) => id));
      return opened;
    } catch {
      return [];
    }
  }

  /** Whether those opened for this member may serve another attempt. */
  waits(key: PeerKey): boolean {
    const { members, clock } = this.#options;
    const member = members.get(key);
    const useful = member !== undefined && !member.core.direct();
    if (useful && this.leftovers.hasSockets(clock.now(), key)) return true;
    this.leftovers.forget(key);
    return false;
  }

  /** Closes those of former attempts whose paths are gone. */
  sweep(punched: (key: PeerKey) => boolean): void {
    let used: Set<SocketId> | null = null;
    for (const key of new Set([...this.#sockets.values()].map((socket) => socket.key))) {
      if (punched(key) || this.waits(key)) continue;
      used ??= new Set([...this.#options.members.all().values()].flatMap(({ core }) => core.sockets()));
      this.closeLost(this.of(key).filter((socket) => used?.has(socket) !== true));
    }
  }

  /** Closes those that carry nothing. Another member than theirs may have come in by them, where a filter lets it. */
  closeLost(ids: SocketId[]): void {
    const { members, device, budget } = this.#options;
    const all = [...members.all().values()];
    const carrying = new Set(
      all.flatMap(({ path, core }) => [path?.kind === 'udp' ? path.socket : null, core.directSocket()]),
    );
    const lost = ids.filter((id) => !carrying.has(id));
    if (lost.length === 0) return;
    for (const member of all) members.event(member.key, { type: 'sockets-closed', sockets: lost });
    for (const id of lost) this.#sockets.delete(id);
    device.closeSockets(lost);
    budget.closed(lost);
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
