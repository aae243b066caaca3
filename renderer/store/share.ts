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
  // Own members only, and defined, not assigned: `__proto__` is a name like any other in JSON.
  const parts = Object.entries(next).map(([key, value]) => {
    const known = Object.hasOwn(before, key);
    const shared = known ? share(before[key], value) : value;
    return { key, shared, same: known && Object.is(shared, before[key]) };
  });
  const same = parts.length === Object.keys(before).length && parts.every((part) => part.same);
  return same ? before : Object.fromEntries(parts.map(({ key, shared }) => [key, shared]));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
