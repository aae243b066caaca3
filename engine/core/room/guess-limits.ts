/**
 * How many unproven handshakes a member takes part in (4-rooms, "Guessing and strangers"). A run holds its ticket for a
 * minute unless it ends in a proof: only wrong guesses use the limits up.
 */
import { ROOM_LIMITS } from '../../../protocol/limits.ts';

const WINDOW_MS = 60_000;

export interface Ticket {
  at: number;
  source: string;
  /** The other side showed the room tag: strangers cannot fill this bucket. */
  tagged: boolean;
}

export class GuessLimits {
  #tickets: Ticket[] = [];

  /** Null when this source, or the room, has used up its guesses of the last minute. */
  take(now: number, source: string, tagged: boolean): Ticket | null {
    this.#tickets = this.#tickets.filter((ticket) => ticket.at > now - WINDOW_MS);
    const bucket = this.#tickets.filter((ticket) => ticket.tagged === tagged);
    const ofSource = bucket.filter((ticket) => ticket.source === source).length;
    const full = tagged
      ? bucket.length >= ROOM_LIMITS.taggedPerMinute
      : bucket.length >= ROOM_LIMITS.guessesPerMinute || ofSource >= ROOM_LIMITS.guessesPerSourcePerMinute;
    if (full) return null;
    const ticket = { at: now, source, tagged };
    this.#tickets.push(ticket);
    return ticket;
  }

  /** The run proved itself, or nothing could be guessed in it. */
  refund(ticket: Ticket): void {
    this.#tickets = this.#tickets.filter((other) => other !== ticket);
  }
}
