/** Files from member to member: what members say to each other, and what the faces see. docs/files.md. */
import * as z from 'zod';

export const fileId = z.string().regex(/^[0-9a-f]{32}$/);

/** Beside the other messages of members (peer.ts). */
export const fileMessages = [
  /** Said again while it stands, so that it survives lost signals and restarts; the bytes wait at this TCP port of the tunnel. */
  z.object({
    t: z.literal('file-offer'),
    id: fileId,
    name: z.string().min(1).max(255),
    size: z.int().min(0),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    port: z.int().min(1).max(65_535),
  }),
  /** Withdrawn by the sender, or not wanted by the receiver. */
  z.object({ t: z.literal('file-end'), id: fileId }),
] as const;

export const fileTransfer = z.object({
  id: fileId,
  direction: z.enum(['in', 'out']),
  /** The other member's public key, and its nickname when it began: hostile text. */
  peer: z.string(),
  nick: z.string(),
  /** Safe as a file name; still hostile text. */
  name: z.string(),
  size: z.number(),
  /** Bytes that are there. */
  done: z.number(),
  /** `offered` waits for the receiver's yes, `waiting` for the other end. The last four stay as they are. */
  state: z.enum(['preparing', 'offered', 'waiting', 'running', 'done', 'failed', 'declined', 'cancelled']),
  problem: z.enum(['disk-full', 'disk', 'changed', 'damaged']).nullable(),
  /** Where it lies here. */
  path: z.string().nullable(),
});
export type FileTransfer = z.infer<typeof fileTransfer>;

/** Answers `{id}`. `path` is on the engine's machine. */
export const sendFileCommand = z.object({
  type: z.literal('send-file'),
  peer: z.string().min(1).max(128),
  path: z.string().min(1).max(4_096),
});
/** `remove` forgets one that has ended. */
export const fileCommand = z.object({
  type: z.literal('file'),
  id: z.string().min(4).max(32),
  action: z.enum(['accept', 'decline', 'cancel', 'remove']),
});
export type FileAction = z.infer<typeof fileCommand>['action'];
