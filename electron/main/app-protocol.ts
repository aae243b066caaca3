/**
 * `app://warren/`: the page and its files, from one folder and nowhere else. A scheme of our own rather than `file:`, because
 * it gives the page a real origin (so permissions and IPC senders can be told apart), the policy comes as a header that no
 * markup can be put in front of, and the page can read no other file.
 */
import { readFile } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';

export const APP_SCHEME = 'app';
export const APP_ORIGIN = 'app://warren';
export const APP_PAGE = `${APP_ORIGIN}/index.html`;

export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'none'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const MEDIA_TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

/** The file that a request is for; null for everything that is not plainly a file of the page. */
export function requestedFile(folder: string, method: string, url: string): string | null {
  if (method !== 'GET' || !URL.canParse(url)) return null;
  const { protocol, host, pathname } = new URL(url);
  if (`${protocol}//${host}` !== APP_ORIGIN) return null;
  // Vite's names need no escapes, and what needs none cannot hide a separator, a drive or a parent folder.
  if (!/^(?:\/[\w-][\w.-]*)+$/.test(pathname) || MEDIA_TYPES[extname(pathname)] === undefined) return null;
  const path = join(folder, pathname);
  return path.startsWith(folder + sep) ? path : null;
}

/** Answers requests of the scheme out of `folder`. */
export function createAppProtocol(folder: string): (request: { method: string; url: string }) => Promise<Response> {
  return async ({ method, url }) => {
    const path = requestedFile(folder, method, url);
    if (path === null) return empty(404);
    try {
      return new Response(new Uint8Array(await readFile(path)), { headers: headers(path) });
    } catch {
      return empty(404);
    }
  };
}

function headers(path: string): Record<string, string> {
  return {
    'content-type': MEDIA_TYPES[extname(path)] ?? 'application/octet-stream',
    'content-security-policy': CONTENT_SECURITY_POLICY,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'cache-control': 'no-store',
  };
}

const empty = (status: number) => new Response(null, { status, headers: headers('') });
