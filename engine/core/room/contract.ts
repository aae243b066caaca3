/**
 * The room core: who is here, and who has proved the password. Pure: `(now, event)` to actions. It owns the rendezvous
 * sessions, pairwise CPace, sealed signals, identities, and virtual addresses; it knows nothing of paths.
 */
import type { AddressClaim, PeerMessage } from '../../../protocol/peer.ts';
import type { ClientMessage, Hello, ServerMessage } from '../../../protocol/server.ts';
import type { Primitives } from '../crypto/primitives.ts';

/** A member for the whole life of the room: its room WireGuard public key in base64 (44 characters). */
export type PeerKey = string;
/** Index into the room's list of servers. */
export type ServerIndex = number;

/** Slow work, done in a worker. Bytes in, bytes out. */
export type CryptoRequest =
  | { kind: 'scrypt'; password: Uint8Array; salt: Uint8Array; n: number; r: number; p: number; length: number }
  /** CPace first half: `Ya` from the password string and a scalar drawn from `random` (64 bytes). */
  | { kind: 'cpace-start'; prs: Uint8Array; ci: Uint8Array; sid: Uint8Array; random: Uint8Array }
  /** CPace second half: the ISK, initiator-responder order. */
  | {
      kind: 'cpace-finish';
      sid: Uint8Array;
      scalar: Uint8Array;
      role: 'initiator' | 'responder';
      own: { share: Uint8Array; ad: Uint8Array };
      peer: { share: Uint8Array; ad: Uint8Array };
    };
/** `failed`: the peer's share was the identity or not an element. */
export type CryptoResult =
  | { kind: 'scrypt'; key: Uint8Array }
  | { kind: 'cpace-start'; scalar: Uint8Array; share: Uint8Array }
  | { kind: 'cpace-finish'; isk: Uint8Array }
  | { kind: 'failed' };

/** Survives a restart (the shell keeps it encrypted or 0600, by topic). Plain JSON. */
export interface RoomMemory {
  prs: string | null;
  roomTag: string | null;
  prefix: { epoch: number; index: number };
  claims: AddressClaim[];
  /** Key to nickname as first seen. */
  pins: { key: PeerKey; nick: string }[];
  blocked: PeerKey[];
}

export interface RoomOptions {
  /** As typed; normalised here. */
  name: string;
  /** As typed; null when `memory.prs` is to be used. */
  password: string | null;
  nick: string;
  /** The machine's static X25519 private key, 32 bytes. */
  machineKey: Uint8Array;
  servers: string[];
  create: boolean;
  memory: RoomMemory | null;
  /** IPv4 networks of the host in CIDR, to keep the room's prefix clear of them. */
  hostNetworks: string[];
  /** An address that the user asked for, or null. */
  ipv4: string | null;
  random: (length: number) => Uint8Array;
  /** Default: in JavaScript. */
  primitives?: Primitives;
  /** Cost of scrypt; the default is the protocol's. Only the simulator changes it. */
  scryptN?: number;
}

export type RoomEvent =
  | { type: 'start' }
  | { type: 'stop' }
  | { type: 'server-open'; server: ServerIndex }
  | { type: 'server-message'; server: ServerIndex; message: ServerMessage }
  | { type: 'server-frame'; server: ServerIndex; member: string; payload: Uint8Array }
  | { type: 'server-closed'; server: ServerIndex; code: string }
  | { type: 'crypto'; job: number; result: CryptoResult }
  /** A sealed signal that came inside the tunnel from an installed peer. */
  | { type: 'tunnel-frame'; peer: PeerKey; payload: Uint8Array }
  /** Seal and send to a proven peer: by a server both are on, else through the tunnel. */
  | { type: 'send'; peer: PeerKey; message: PeerMessage }
  /** The first message of a peer that went up with `early`, for this server and member. */
  | { type: 'tunnel-begin'; server: ServerIndex; member: string; payload: Uint8Array }
  /** Authenticated life in the tunnel (said now and then): keeps a peer that no server shows any more. */
  | { type: 'peer-alive'; peer: PeerKey }
  | { type: 'block'; peer: PeerKey; on: boolean }
  /** Another network, or the same one again: servers that could not be reached are tried at once. */
  | { type: 'network-changed' }
  | { type: 'tick' };

export type RoomNotice =
  | 'wrong-password'
  | 'failed-guess'
  | 'nick-taken'
  | 'known-nick-new-key'
  | 'address-moved'
  | 'address-conflict'
  | 'server-unreachable'
  | 'server-back';

export type RoomAction =
  /** `hello` is to be said as soon as can be. */
  | { type: 'connect'; server: ServerIndex; url: string; hello: Hello }
  | { type: 'disconnect'; server: ServerIndex }
  | { type: 'server-send'; server: ServerIndex; message: ClientMessage }
  | { type: 'server-frame'; server: ServerIndex; member: string; payload: Uint8Array }
  | { type: 'crypto'; job: number; request: CryptoRequest }
  /** Through the peer's current path as a probe message (native/types.ts, sendMessage). */
  | { type: 'tunnel-frame'; peer: PeerKey; payload: Uint8Array }
  /**
   * Install the peer in the device; it is not there yet. A member whose process restarted goes down and comes up again:
   * its tunnel sessions, paths and candidates belong to the old one. A reconnect changes nothing here. One side has
   * `initiate`. With `early` its first message leaves at once, as a `tunnel-begin`: the other installs it before that
   * arrives, and can be relayed to a round trip later.
   */
  | {
      type: 'peer-up';
      peer: PeerKey;
      presharedKey: Uint8Array;
      probe: { sendKey: Uint8Array; receiveKey: Uint8Array };
      /** Fresh probe keys start their seq at 1. */
      initiate: boolean;
      early?: { server: ServerIndex; member: string };
    }
  /** The tunnel's first message, which came ahead of the relay: for the device, as if relayed. */
  | { type: 'tunnel-packet'; peer: PeerKey; payload: Uint8Array }
  /** The peer has proved itself too (its proof verified): it counts as a member from here on. */
  | { type: 'peer-proven'; peer: PeerKey }
  /**
   * Gone: said bye, blocked, or unseen on every server and in the tunnel for the linger time; `unproven` never became a
   * member; `restarted` comes up again in the same batch.
   */
  | { type: 'peer-down'; peer: PeerKey; reason: 'bye' | 'blocked' | 'gone' | 'unproven' | 'restarted' }
  /** Where the peer can be relayed to now, best first; empty: nowhere. */
  | { type: 'peer-routes'; peer: PeerKey; routes: { server: ServerIndex; member: string }[] }
  | { type: 'peer-message'; peer: PeerKey; message: PeerMessage }
  | { type: 'self-address'; ipv4: string; prefixLength: number; ipv6: string }
  | { type: 'peer-address'; peer: PeerKey; ipv4: string | null; ipv6: string }
  | { type: 'remember'; memory: RoomMemory }
  | { type: 'notice'; code: RoomNotice; nick?: string; peer?: PeerKey }
  /** Exit 3 material: some run failed, none succeeded within 10 s, and `create` was not given. */
  | { type: 'fatal'; code: 'wrong-password' | 'no-server' | 'room-full' | 'invalid' }
  | { type: 'wake'; at: number };

export interface RoomMemberView {
  key: PeerKey;
  nick: string;
  ipv4: string | null;
  ipv6: string;
  proven: boolean;
  /** Proven, and has told its name or had the time to: its profile may come a moment behind its proof. */
  introduced: boolean;
  blocked: boolean;
}

export interface RoomView {
  state: 'off' | 'joining' | 'joined' | 'reconnecting';
  topic: string;
  publicKey: PeerKey;
  /** The room's WireGuard private key, for the device. */
  privateKey: Uint8Array;
  nick: string;
  ipv4: string | null;
  prefixLength: number;
  ipv6: string;
  /** URL of the server in use, or the first. */
  server: string;
  members: RoomMemberView[];
}

export interface RoomCore {
  handle(now: number, event: RoomEvent): RoomAction[];
  view(): RoomView;
}
/** `engine/core/room/room.ts` exports `createRoom: (options: RoomOptions) => RoomCore`; throws WarrenError('invalid'). */
