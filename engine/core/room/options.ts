/** Checks what the user asked for before anything starts. */
import { WarrenError } from '../../../protocol/errors.ts';
import { ROOM_LIMITS } from '../../../protocol/limits.ts';
import { keyFromBase64, utf8ToBytes } from '../crypto/bytes.ts';
import { opaqueString } from '../crypto/names.ts';
import { parseIpv4, PREFIX_LENGTH } from './addresses.ts';
import type { RoomOptions } from './contract.ts';
import { cleanNick } from './nicks.ts';

/**
 * The prepared password, or null where the remembered one is to be used. `name` is normalised. Throws
 * WarrenError('invalid').
 */
export function checkOptions(options: RoomOptions, name: string): Uint8Array | null {
  const nameBytes = utf8ToBytes(name).length;
  if (nameBytes === 0 || nameBytes > ROOM_LIMITS.nameBytes) {
    throw new WarrenError('invalid', `a room name has 1 to ${ROOM_LIMITS.nameBytes} bytes`);
  }
  if (cleanNick(options.nick) === '') throw new WarrenError('invalid', 'a nickname needs a visible letter');
  if (options.machineKey.length !== 32) throw new WarrenError('invalid', 'a machine key has 32 bytes');
  if (options.servers.length === 0 || options.servers.length > ROOM_LIMITS.servers) {
    throw new WarrenError('invalid', `a room has 1 to ${ROOM_LIMITS.servers} servers`);
  }
  if (options.ipv4 !== null && !isHostAddress(options.ipv4)) {
    throw new WarrenError('invalid', `${options.ipv4} is no address that a room can give (10.64.0.0/10)`);
  }
  if (options.password === null) {
    if (keyFromBase64(options.memory?.prs ?? '') === null) {
      throw new WarrenError('invalid', 'this room is not saved: a password is needed');
    }
    return null;
  }
  const password = opaqueString(options.password);
  if (password === null)
    throw new WarrenError('invalid', 'the password is empty or has characters that cannot be typed');
  const bytes = utf8ToBytes(password);
  if (bytes.length > ROOM_LIMITS.passwordBytes) {
    throw new WarrenError('invalid', `a password has at most ${ROOM_LIMITS.passwordBytes} bytes`);
  }
  return bytes;
}

/** Inside 10.64.0.0/10, and neither the first nor the last two of a /20. */
function isHostAddress(text: string): boolean {
  const address = parseIpv4(text);
  if (address === null || Math.floor(address / 2 ** 22) !== 0x0a_40_00_00 / 2 ** 22) return false;
  const host = address % 2 ** (32 - PREFIX_LENGTH);
  return host >= 1 && host <= 4_094;
}
