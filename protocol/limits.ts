/** Limits of the wire and their defaults. Bytes, milliseconds, and events a second where the name says so. */

/** Version of the rendezvous protocol and of the peer protocol that this tree speaks. */
export const PROTOCOL_VERSION = 1;

export const SERVER_LIMITS = {
  /** A socket that has not said hello by then is closed. */
  helloTimeoutMs: 5_000,
  /** Largest WebSocket frame of any kind. */
  frameBytes: 16 * 1024,
  /** Largest relayed payload: one sealed WireGuard packet. */
  relayPayloadBytes: 1_600,
  /** A relayed payload up to this length is a small packet (below 350 bytes, sealed) and passes those that wait. */
  expressPayloadBytes: 384,
  signalsPerSecond: 50,
  relayBytesPerSecond: 4_000_000,
  membersPerRoom: 250,
  /** Per IPv4 address or IPv6 /64. */
  connectionsPerSource: 64,
  roomsPerSource: 32,
  /** New connections of a source a second, after a burst: every arrival is told to a whole room. */
  arrivalsPerSecond: 4,
  /** A receiver whose queued signals pass this is closed with `too-slow`; queued data drops its oldest frames. */
  backlogBytes: 256 * 1024,
  /** Frames between two members that have not allowed each other yet. */
  handshakeFrames: 4,
  handshakeFrameBytes: 512,
  handshakeWindowMs: 10_000,
  /** The server pings each socket; one that stays silent for two of these is closed. */
  pingIntervalMs: 15_000,
} as const;

export type ServerLimits = { [K in keyof typeof SERVER_LIMITS]: number };

export const ROOM_LIMITS = {
  nameBytes: 128,
  passwordBytes: 256,
  nickBytes: 64,
  /** Servers that one engine joins at once. */
  servers: 4,
  /** A handshake without a valid proof by then is a failed guess. */
  proofTimeoutMs: 10_000,
  /** Handshakes that a member answers: per source tag and for the whole room, a minute. */
  guessesPerSourcePerMinute: 3,
  guessesPerMinute: 20,
  /** The separate bucket of newcomers that hold the room tag. */
  taggedPerMinute: 250,
  concurrentHandshakes: 8,
  /** Largest plaintext of a sealed signal. */
  signalBytes: 8 * 1024,
} as const;

/** Inner MTU of every room interface (bytes). */
export const TUN_MTU = 1_420;
