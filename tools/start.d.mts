export interface Surroundings {
  platform: NodeJS.Platform;
  env: Record<string, string | undefined>;
  uid: number | undefined;
  /** The package's folder, whose `dist` a download fills. */
  electronPackage: string;
  exists(path: string): boolean;
}
export type Choice = { face: 'electron'; program: string; why: string } | { face: 'browser' | 'missing'; why: string };
/** What opens the app, and why; `missing` is left to a download. */
export function choose(surroundings: Surroundings): Choice;
