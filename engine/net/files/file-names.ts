/** Names of files that a stranger chose, made safe for this disk. */
import { existsSync } from 'node:fs';
import { basename, extname, join } from 'node:path';

/** File systems take 255 bytes; a number and a suffix must fit behind. */
const NAME_BYTES = 200;
/** Windows opens devices by these, with any extension. */
const DEVICES = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;

/** One path segment without controls, separators, leading dots or what Windows refuses; never empty. */
export function safeFileName(name: string): string {
  let safe = '';
  const plain = name
    .normalize('NFC')
    // Controls, formatting (which can turn an extension around) and unassigned letters; then what some system forbids.
    .replace(/\p{C}/gu, '')
    .replace(/[\\/:*?"<>|]/g, '_')
    .replace(/^[.\s]+|[.\s]+$/gu, '');
  for (const letter of plain) {
    if (Buffer.byteLength(safe + letter) > NAME_BYTES) break;
    safe += letter;
  }
  safe = safe.replace(/[.\s]+$/u, '');
  if (safe === '') return 'file';
  return DEVICES.test(safe) ? `_${safe}` : safe;
}

/** A path in the folder that nothing has: `name`, `name (2)`, … */
export function freePath(folder: string, name: string): string {
  const end = extname(name);
  const stem = basename(name, end);
  for (let number = 1; ; number++) {
    const path = join(folder, number === 1 ? name : `${stem} (${number})${end}`);
    if (!existsSync(path)) return path;
  }
}
