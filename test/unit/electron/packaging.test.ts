/** What the packages do to a system, as far as it can be read without one. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

describe.runIf(process.platform === 'linux')('the scripts of the deb', () => {
  it.for(['resources/linux/after-install.sh', 'resources/linux/after-remove.sh'])('%s', (path) => {
    // electron-builder fills in names of letters alone, and knows these two.
    const text = read(path);
    const names = [...text.matchAll(/\$\{([a-zA-Z]+)\}/g)].map(([, name]) => name);
    expect(new Set(names)).toEqual(new Set(['executable', 'sanitizedProductName']));
    execFileSync('sh', ['-n'], { input: text.replace(/\$\{[a-zA-Z]+\}/g, 'Warren') });
  });
});

it('link handlers are registered with a trailing --', () => {
  expect(read('electron-builder.yml')).toMatch(/^ {2}executableArgs: \['--'\]$/m);
  expect(read('electron/main/platform/links.ts')).toMatch(/setAsDefaultProtocolClient\('warren', .*, \['--'\]\)/);
});

it('the icons that the app looks for are there', () => {
  for (const state of ['off', 'joining', 'relayed', 'direct']) {
    for (const file of ['16', '16@2x', '22', '22@2x']) {
      const png = readFileSync(join(root, `resources/icons/tray-${state}-${file}.png`));
      const size = Number.parseInt(file, 10) * (file.endsWith('2x') ? 2 : 1);
      // PNG, section 11.2.2: width and height follow the first chunk's name.
      expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([size, size]);
    }
  }
});
