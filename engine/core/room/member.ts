/** One session in the room on one server, and how far it has come in proving itself. */
import { compareBytes } from '../crypto/bytes.ts';
import type { PeerKey, ServerIndex } from './contract.ts';
import type { Ticket } from './guess-limits.ts';
import type { Handshake, MadeShare } from './handshake.ts';
import type { Start } from './wire.ts';

/** A handshake under way. */
export interface Run {
  handshake: Handshake;
  /** Null for a reconnect, where nothing can be guessed. */
  ticket: Ticket | null;
  tagged: boolean;
  /** It was proven here already. */
  renewal: boolean;
  startedAt: number;
  /** Initiator: message 2 has been seen, so the other side has had its guess. */
  answered: boolean;
}

export interface Pending {
  start: Start;
  at: number;
  /** Who sent it, as far as it shows; null before that was looked at. */
  sender: Sender | null;
}

/** Found once for each message 1: it takes a hash for every root that we hold. */
export interface Sender {
  /** A hint in it is ours. */
  known: boolean;
  /** It holds the room tag, or is known. */
  tagged: boolean;
  /** The tag that it was compared with. */
  tag: Uint8Array | null;
}

export interface Member {
  server: ServerIndex;
  /** The server's member id. */
  id: string;
  session: Uint8Array;
  ownSession: Uint8Array;
  source: string;
  /** It was here before us. */
  welcomed: boolean;
  since: number;
  /** The lower session id begins. */
  initiator: boolean;
  /** Whose session it is, once proven. */
  peer: PeerKey | null;
  /** Whose session it was when that member was dropped. */
  former: PeerKey | null;
  run: Run | null;
  /** Our half of the first run as responder, until it is used. */
  half: 'none' | 'making' | MadeShare | 'over';
  /** Message 1 that waits for the password or for a place. */
  pending: Pending | null;
  attempts: number;
  /** It has shown the room tag: its runs have places of their own. */
  tagged: boolean;
  /** When we may begin the next run, or as the higher session id show the room tag. */
  nextAt: number;
  /** Blocked, our own key, or a session that a newer one of the same member replaced. */
  refused: boolean;
}

/** The higher session id waits so long before it shows the room tag: mostly the other has begun by then. */
const READY_MS = 1_000;

export function newMember(
  server: { index: ServerIndex; session: Uint8Array },
  id: string,
  session: Uint8Array,
  source: string,
  welcomed: boolean,
  now: number,
): Member {
  const initiator = compareBytes(server.session, session) < 0;
  return {
    server: server.index,
    id,
    session,
    ownSession: server.session,
    source,
    welcomed,
    since: now,
    initiator,
    peer: null,
    former: null,
    run: null,
    half: 'none',
    pending: null,
    attempts: 0,
    tagged: false,
    nextAt: initiator ? now : now + READY_MS,
    refused: false,
  };
}
