import { bytesToHex } from './bytes.ts';
import { topicOf } from './derive.ts';
import { normaliseName } from './names.ts';

/** The room's public name on servers and in file names: 64 hex digits from the name as typed. */
export function roomTopic(name: string): string {
  return bytesToHex(topicOf(normaliseName(name)));
}
