/** Rooms of the simulated server: members, permissions and the handshake allowance of protocol/server.ts. */
import { SERVER_LIMITS } from '../../../protocol/limits.ts';
import { type BinaryFrame, FRAME_RELAY, type ServerMember, type ServerMessage } from '../../../protocol/server.ts';
import type { Random } from '../core/random.ts';

export interface SimMember {
  id: string;
  topic: string;
  session: string;
  source: string;
  resume: string;
  allows: Set<string>;
  /** Times of frames exchanged with strangers, by the stranger's id; kept at the lower id of a pair. */
  strangers: Map<string, number[]>;
  link: { message(message: ServerMessage): void; frame(frame: BinaryFrame): void; replaced(): void };
}

export class SimRooms {
  readonly #random: Random;
  #members: SimMember[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  join(
    hello: { topic: string; session: string; resume?: string },
    source: string,
    link: SimMember['link'],
  ): SimMember | null {
    const { topic, session } = hello;
    const known = this.#members.find((member) => member.resume === hello.resume && member.topic === topic);
    if (known !== undefined) {
      const changed = known.session !== session || known.source !== source;
      const before = known.link;
      Object.assign(known, { session, source, link, resume: this.#hex(16) });
      before.replaced();
      if (changed) this.#tell(known, { t: 'joined', ...introduction(known) });
      return known;
    }
    if (this.#room(topic).length >= SERVER_LIMITS.membersPerRoom) return null;
    const member: SimMember = {
      id: this.#hex(8),
      resume: this.#hex(16),
      topic,
      session,
      source,
      link,
      allows: new Set(),
      strangers: new Map(),
    };
    this.#tell(member, { t: 'joined', ...introduction(member) });
    this.#members.push(member);
    return member;
  }

  leave(member: SimMember): void {
    this.#members = this.#members.filter((other) => other !== member);
    for (const other of this.#room(member.topic)) {
      other.allows.delete(member.id);
      other.strangers.delete(member.id);
    }
    this.#tell(member, { t: 'left', member: member.id });
  }

  companions(member: SimMember): ServerMember[] {
    return this.#room(member.topic)
      .filter((other) => other !== member)
      .map(introduction);
  }

  allow(member: SimMember, id: string): void {
    if (id !== member.id && this.#room(member.topic).some((other) => other.id === id)) member.allows.add(id);
  }

  /** False: dropped. */
  route(now: number, sender: SimMember, frame: BinaryFrame): boolean {
    const receiver = this.#room(sender.topic).find((member) => member.id === frame.member);
    if (receiver === undefined || receiver === sender) return false;
    const allowed = receiver.allows.has(sender.id);
    if (frame.type === FRAME_RELAY) {
      if (!allowed) return false;
    } else if (!(allowed && sender.allows.has(receiver.id))) {
      if (!this.#strangersMay(now, sender, receiver, frame.payload.length)) return false;
    }
    receiver.link.frame({ ...frame, member: sender.id });
    return true;
  }

  #strangersMay(now: number, a: SimMember, b: SimMember, bytes: number): boolean {
    const { handshakeFrames, handshakeFrameBytes, handshakeWindowMs } = SERVER_LIMITS;
    const [keeper, other] = a.id < b.id ? [a, b] : [b, a];
    const recent = (keeper.strangers.get(other.id) ?? []).filter((at) => now - at < handshakeWindowMs);
    if (bytes > handshakeFrameBytes || recent.length >= handshakeFrames) return false;
    keeper.strangers.set(other.id, [...recent, now]);
    return true;
  }

  #room(topic: string): SimMember[] {
    return this.#members.filter((member) => member.topic === topic);
  }

  #tell(about: SimMember, message: ServerMessage): void {
    for (const member of this.#room(about.topic)) if (member !== about) member.link.message(message);
  }

  #hex(bytes: number): string {
    return Buffer.from(this.#random.bytes(bytes)).toString('hex');
  }
}

function introduction({ id, session, source }: SimMember): ServerMember {
  return { member: id, session, source };
}
