/**
 * Messages between proven members, sealed end to end (see docs/protocol.md, "Signals"). Unknown fields and unknown
 * messages are ignored; every list is bounded.
 */
import * as z from 'zod';
import { fileMessages } from './files.ts';
import { natReport } from './nat.ts';
import { punchMessages } from './punch.ts';

/** RFC 8445 names, and Warren's own: `static` is configured by the user, `peer-reflexive` learned from a probe. */
export const candidateKind = z.enum(['lan', 'ipv6', 'reflexive', 'mapped', 'static', 'peer-reflexive']);
export type CandidateKind = z.infer<typeof candidateKind>;

export const candidate = z.object({
  kind: candidateKind,
  ip: z.string().min(2).max(64),
  port: z.int().min(1).max(65_535),
});
export type Candidate = z.infer<typeof candidate>;

/** A host number claim: which virtual address a member uses (4-rooms, "Virtual addresses"). */
export const addressClaim = z.object({
  key: z.string().length(44),
  host: z.int().min(1).max(4_094),
  /** The k of H(topic, key, k) that gave `host`. */
  attempt: z.int().min(0).max(65_535),
  held: z.boolean(),
});
export type AddressClaim = z.infer<typeof addressClaim>;

export const peerMessage = z.discriminatedUnion('t', [
  /** First after the proof, and whenever one of its parts changes. */
  z.object({
    t: z.literal('profile'),
    nick: z.string().max(64),
    claim: addressClaim.nullable(),
    /** Prefix choice: highest epoch wins, then lowest index. */
    prefix: z.object({ epoch: z.int().min(0), index: z.int().min(0).max(63) }),
    /** Claims of everyone the sender knows, so that absent members keep their addresses. */
    claims: z.array(addressClaim).max(250),
    /** 32 bytes, base64; the lower of two wins at a merge. */
    roomTag: z.string().max(64).nullable(),
  }),
  /** The sender accepts the receiver's claim as held; or names the claim that it loses to. */
  z.object({ t: z.literal('claim-answer'), host: z.int(), accepted: z.boolean(), by: addressClaim.nullable() }),
  /** The sender's whole candidate list, replacing the last one; `revision` rises. Acknowledged by `candidates-ack`. */
  z.object({
    t: z.literal('candidates'),
    revision: z.int().min(0),
    candidates: z.array(candidate).max(32),
    nat: natReport.nullable(),
  }),
  z.object({ t: z.literal('candidates-ack'), revision: z.int().min(0) }),
  ...punchMessages,
  ...fileMessages,
  /** A line of chat. Receivers drop an id that they have seen, and more than a few a second. */
  z.object({ t: z.literal('chat'), id: z.string().regex(/^[0-9a-f]{32}$/), text: z.string().min(1).max(1_000) }),
  /** The sender leaves for good (not a crash): paths and pins of the moment may be dropped at once. */
  z.object({ t: z.literal('bye') }),
]);
export type PeerMessage = z.infer<typeof peerMessage>;
