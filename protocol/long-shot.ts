/**
 * The long shot as people see it (docs/decisions, "The long shot"): offered with a member whose NAT and ours both draw a
 * port for every destination, begun when both people have said yes, and never otherwise.
 */
import * as z from 'zod';

/** What to try before: each of them makes a direct path without a gamble. */
export const longShotAdvice = z.enum(['ipv6', 'port-mapping-here', 'port-mapping-there']);
export type LongShotAdvice = z.infer<typeof longShotAdvice>;

/**
 * How the last one ended. `expired`: nobody answered in time. `withdrawn`: whoever asked took it back. `off`: NAT4 punching is
 * switched off, there or here. `budget`: the last one's mappings are not forgotten yet. `busy`: another one is under way.
 */
export const longShotEnd = z.enum([
  'direct',
  'exhausted',
  'stopped',
  'declined',
  'expired',
  'withdrawn',
  'off',
  'budget',
  'busy',
  'unreachable',
]);
export type LongShotEnd = z.infer<typeof longShotEnd>;

export const longShotView = z.object({
  /** `asking`: the other person has not answered. `asked`: this one has not. */
  state: z.enum(['possible', 'asking', 'asked', 'running']),
  /** Chance of the whole attempt, 0 to 1, by both sides' port models. */
  odds: z.number(),
  /** Mappings that it takes in this router, and in theirs. */
  mappings: z.int(),
  theirMappings: z.int(),
  /** How long it takes when nothing is found. */
  seconds: z.int(),
  /** Unix time in ms at which the request is void; null where there is none. */
  until: z.number().nullable(),
  advice: z.array(longShotAdvice),
  last: longShotEnd.nullable(),
});
export type LongShotView = z.infer<typeof longShotView>;

/** `start`: asks the member's user, or says yes to theirs. `stop`: says no, takes the request back, or ends the attempt. */
export const longShotCommand = z.object({
  type: z.literal('long-shot'),
  peer: z.string().min(1).max(128),
  action: z.enum(['start', 'stop']),
});
export type LongShotAction = z.infer<typeof longShotCommand>['action'];
