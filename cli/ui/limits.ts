/** How much the browser UI takes, and what it counts of the rest. */

export interface UiLimits {
  /** WebSockets at a time; a tab holds one. */
  sockets: number;
  helloTimeoutMs: number;
  /** Longest message from a tab, bytes: the longest command is an invite link or a chat message. */
  frameBytes: number;
  /** Unanswered commands of one tab; a person's clicks never come near. */
  pendingCommands: number;
}

export const UI_LIMITS: UiLimits = {
  sockets: 8,
  helloTimeoutMs: 5_000,
  frameBytes: 64 * 1024,
  pendingCommands: 32,
};

export interface UiCounters {
  /** Requests for another host name: DNS rebinding. */
  host: number;
  /** WebSockets from pages that are not ours. */
  origin: number;
  /** Connections without a valid hello. */
  refused: number;
  /** Messages and frames that are not what they should be. */
  malformed: number;
  /** WebSockets beyond the limit. */
  tooMany: number;
}
