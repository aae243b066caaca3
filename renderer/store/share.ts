/**
 * Structural sharing: states arrive as fresh copies, but what did not change keeps its identity, so that a row of a
 * member that did not change is not drawn again.
 */

/** `next`, with every part that equals the same part of `before` replaced by that part. JSON values only. */
export function share<T>(before: unknown, next: T): T {
  if (Object.is(before, next)) return next;
  if (Array.isArray(before) && Array.isArray(next)) return shareArray(before, next) as T;
  if (isRecord(before) && isRecord(next)) return shareRecord(before, next) as T;
  return next;
}

function shareArray(before: unknown[], next: unknown[]): unknown[] {
  const shared = next.map((value, at) => share(before[at], value));
  const same = before.length === shared.length && shared.every((value, at) => Object.is(value, before[at]));
  return same ? before : shared;
}

function shareRecord(before: Record<string, unknown>, next: Record<string, unknown>): Record<string, unknown> {
  const keys = Object.keys(next);
  const shared: Record<string, unknown> = {};
  let same = keys.length === Object.keys(before).length;
  for (const key of keys) {
    const value = share(before[key], next[key]);
    shared[key] = value;
    same &&= Object.hasOwn(before, key) && Object.is(value, before[key]);
  }
  return same ? before : shared;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
