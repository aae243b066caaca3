/** The native package, loaded when the first room is joined: a missing addon becomes an error code, not a crash at the start. */
import type { NativePort } from '../../engine/net/host.ts';
import { WarrenError } from '../../protocol/errors.ts';

/** Rejects with WarrenError('unsupported'). */
export async function loadNative(): Promise<NativePort> {
  try {
    const { Device, openTun } = await import('node-wireguard');
    return { Device, openTun };
  } catch (error) {
    const why = (error as Error).message;
    throw new WarrenError('unsupported', `node-wireguard cannot be loaded (${why})`, { cause: error });
  }
}
