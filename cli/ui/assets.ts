/** The built renderer in memory: what is not a file of it at the start cannot be asked for, whatever a path looks like. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, extname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WarrenError } from '../../protocol/errors.ts';

export interface Asset {
  readonly bytes: Buffer;
  readonly type: string;
  /** Its name holds a hash of its content (Vite's `assets/`). */
  readonly immutable: boolean;
}
/** By request path: `/`, `/assets/index-Bx3a9.js`. */
export type Assets = ReadonlyMap<string, Asset>;

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
  '.webmanifest': 'application/manifest+json',
};

/** `build/renderer`, from `build/cli/ui` as from the code of the bundle, which lies as deep. */
export function rendererDirectory(): string {
  return join(dirname(fileURLToPath(import.meta.url)), '../../renderer');
}

/** Throws WarrenError('unsupported') when the renderer is not built. */
export function loadAssets(directory: string = rendererDirectory()): Assets {
  const assets = new Map<string, Asset>();
  for (const path of filesIn(directory)) {
    const type = TYPES[extname(path)];
    if (type === undefined) continue;
    const name = relative(directory, path).split(sep).join('/');
    const asset = { bytes: readFileSync(path), type, immutable: name.startsWith('assets/') };
    assets.set(name === 'index.html' ? '/' : `/${name}`, asset);
  }
  if (!assets.has('/')) throw new WarrenError('unsupported', 'the browser UI is not built: run npm run build');
  return assets;
}

function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return filesIn(path);
      return entry.isFile() ? [path] : [];
    });
  } catch {
    return [];
  }
}
