/** The native package, loaded late: a missing addon becomes an error with a next step, not a stack. */
import { WarrenError } from '../protocol/errors.ts';

/** Throws WarrenError('unsupported'). */
export async function loadNative() {
  try {
    const { Device, openTun } = await import('node-wireguard');
    return { Device, openTun };
  } catch (error) {
    const why = (error as Error).message;
    throw new WarrenError('unsupported', `node-wireguard cannot be loaded (${why}): run npm ci`, { cause: error });
  }
}
