/** Where the app's own files are, the same in a checkout and in the archive of the package: this bundle lies in `build/app/`. */
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');

export const PATHS = {
  preload: join(__dirname, 'preload.cjs'),
  renderer: join(ROOT, 'build/renderer'),
  icons: join(ROOT, 'resources/icons'),
  servers: join(ROOT, 'resources/servers.json'),
} as const;
