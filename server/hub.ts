/**
 * Rooms, their members, and who may reach whom. A frame is looked up among the sender's own room, so nothing can pass
 * between topics. Knows no sockets: a member's link is where its frames go.
 */
import { randomBytes } from 'node:crypto';
import type { ServerLimits } from '../protocol/limits.ts';
import { FRAME_HEADER_BYTES, FRAME_RELAY, type ServerMember, type ServerMessage } from '../protocol/server.ts';
import type { Counters } from './counters.ts';

const MEMBER_ID_BYTES = 8;
const RESUME_TOKEN_BYTES = 16;

/** The way to one member. */
export interface Link {
  control(json: string): void;
  signal(frame: Buffer): void;
  relay(frame: Buffer): void;
  /** Another connection resumed this member; this one is to go without a word. */
  replaced(): void;
}

export interface Member {
  readonly id: string;
  readonly idBytes: Buffer;
  readonly room: Room;
  session: string;
  source: string;
  resume: string;
  link: Link;
  /** Ids of the members that may relay to this one. */
  readonly allows: Set<string>;
  /** Times of recent frames exchanged with strangers of a higher id. */
  readonly handshakes: Map<string, number[]>;
}

interface Room {
  readonly topic: string;
  readonly members: Map<string, Member>;
}

export interface Arrival {
  topic: string;
  session: string;
  source: string;
  resume?: string | undefined;
  link: Link;
}

export class Hub {
  readonly #rooms = new Map<string, Room>();
  readonly #byToken = new Map<string, Member>();
  readonly #limits: ServerLimits;
  readonly #counters: Counters;

  constructor(limits: ServerLimits, counters: Counters) {
    this.#limits = limits;
    this.#counters = counters;
  }

  get rooms(): number {
    return this.#rooms.size;
  }

  get members(): number {
    return this.#byToken.size;
  }

  /** Brings a member in and tells the others; null where the room is full. */
  join(arrival: Arrival): Member | null {
    const known = arrival.resume === undefined ? undefined : this.#byToken.get(arrival.resume);
    if (known !== undefined && known.room.topic === arrival.topic) return this.#resume(known, arrival);
    const room = this.#rooms.get(arrival.topic) ?? { topic: arrival.topic, members: new Map<string, Member>() };
    if (room.members.size >= this.#limits.membersPerRoom) return null;
    const member = this.#create(room, arrival);
    broadcast(room, member, { t: 'joined', ...introduction(member) });
    this.#rooms.set(room.topic, room);
    room.members.set(member.id, member);
    this.#byToken.set(member.resume, member);
    return member;
  }

  /** Everyone else in the member's room. */
  companions(member: Member): ServerMember[] {
    const others: ServerMember[] = [];
    for (const other of member.room.members.values()) if (other !== member) others.push(introduction(other));
    return others;
  }

  leave(member: Member): void {
    const { room } = member;
    room.members.delete(member.id);
    this.#byToken.delete(member.resume);
    for (const other of room.members.values()) {
      other.allows.delete(member.id);
      other.handshakes.delete(member.id);
    }
    if (room.members.size === 0) this.#rooms.delete(room.topic);
    broadcast(room, member, { t: 'left', member: member.id });
  }

  /** An id that has just left is no error: the words may have crossed. */
  allow(member: Member, id: string): void {
    if (member.room.members.has(id) && id !== member.id) member.allows.add(id);
  }

  deny(member: Member, id: string): void {
    member.allows.delete(id);
  }

  /**
   * Passes on a whole binary frame, in place: the destination in its header becomes the sender.
   * `now` is in milliseconds of a monotonic clock.
   */
  route(sender: Member, frame: Buffer, now: number): void {
    const receiver = sender.room.members.get(frame.toString('hex', 1, FRAME_HEADER_BYTES));
    if (receiver === undefined || receiver === sender) {
      this.#counters.dropped['no-such-member']++;
    } else if (frame[0] === FRAME_RELAY) {
      this.#relay(sender, receiver, frame);
    } else {
      this.#signal(sender, receiver, frame, now);
    }
  }

  #relay(sender: Member, receiver: Member, frame: Buffer): void {
    if (!receiver.allows.has(sender.id)) {
      this.#counters.dropped['not-allowed']++;
      return;
    }
    this.#counters.relayFrames++;
    this.#counters.relayBytes += frame.length - FRAME_HEADER_BYTES;
    sender.idBytes.copy(frame, 1);
    receiver.link.relay(frame);
  }

  #signal(sender: Member, receiver: Member, frame: Buffer, now: number): void {
    const acquainted = receiver.allows.has(sender.id) && sender.allows.has(receiver.id);
    if (!acquainted && !this.#handshakeAllowed(sender, receiver, frame.length - FRAME_HEADER_BYTES, now)) {
      this.#counters.dropped['handshake-allowance']++;
      return;
    }
    this.#counters.signals++;
    sender.idBytes.copy(frame, 1);
    receiver.link.signal(frame);
  }

  /** A few small frames a pair, whoever sends them, in any window of that length. */
  #handshakeAllowed(a: Member, b: Member, bytes: number, now: number): boolean {
    const { handshakeFrames, handshakeFrameBytes, handshakeWindowMs } = this.#limits;
    if (bytes > handshakeFrameBytes) return false;
    const [keeper, other] = a.id < b.id ? [a, b] : [b, a];
    const recent = (keeper.handshakes.get(other.id) ?? []).filter((at) => now - at < handshakeWindowMs);
    if (recent.length >= handshakeFrames) return false;
    keeper.handshakes.set(other.id, [...recent, now]);
    return true;
  }

  #create(room: Room, { session, source, link }: Arrival): Member {
    const idBytes = randomBytes(MEMBER_ID_BYTES);
    return {
      id: idBytes.toString('hex'),
      idBytes,
      room,
      session,
      source,
      resume: randomBytes(RESUME_TOKEN_BYTES).toString('hex'),
      link,
      allows: new Set(),
      handshakes: new Map(),
    };
  }

  /**
   * Same id, same permissions, new connection; the token is good for one use. The new link takes over last: whoever
   * is found too slow for the news and leaves must not be heard of before the welcome.
   */
  #resume(member: Member, { session, source, link }: Arrival): Member {
    const changed = member.session !== session || member.source !== source;
    const before = member.link;
    this.#byToken.delete(member.resume);
    member.resume = randomBytes(RESUME_TOKEN_BYTES).toString('hex');
    this.#byToken.set(member.resume, member);
    Object.assign(member, { session, source });
    if (changed) broadcast(member.room, member, { t: 'joined', ...introduction(member) });
    member.link = link;
    before.replaced();
    this.#counters.resumed++;
    return member;
  }
}

function introduction({ id, session, source }: Member): ServerMember {
  return { member: id, session, source };
}

function broadcast(room: Room, except: Member, message: ServerMessage): void {
  const json = JSON.stringify(message);
  for (const member of room.members.values()) if (member !== except) member.link.control(json);
}
