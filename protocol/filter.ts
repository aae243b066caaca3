/** Who may reach this host through the room: the preset, the policy file, and what each member may begin. Additive. */
import * as z from 'zod';

/**
 * `games`: everything but remote control, mail of Windows shares and the like; `closed`: answers only. What this host
 * begins is answered in all of them.
 */
export const filterPreset = z.enum(['games', 'open', 'closed']);
export type FilterPreset = z.infer<typeof filterPreset>;

/** Longest policy file, UTF-16 units. */
export const POLICY_CHARACTERS = 65_536;

export const policyView = z.object({
  /** Path, or null for one that was given by the app. */
  file: z.string().nullable(),
  rules: z.number(),
  tests: z.number(),
  /** Why the file as it is now is not in force; the last good one is. */
  problem: z.object({ line: z.number(), message: z.string() }).nullable(),
});
export type PolicyView = z.infer<typeof policyView>;

export const filterView = z.object({
  preset: filterPreset,
  /** In force instead of the preset; null: there is none. */
  policy: policyView.nullable(),
});
export type FilterView = z.infer<typeof filterView>;

const portRange = z.tuple([z.number(), z.number()]);

/** What one member may begin on this host. */
export const memberAccess = z.object({
  tcp: z.array(portRange),
  udp: z.array(portRange),
  ping: z.boolean(),
  /** Packets of this member that were kept out. */
  filtered: z.number(),
});
export type MemberAccess = z.infer<typeof memberAccess>;
