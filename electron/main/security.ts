/** What no page may do, whatever it shows: reach the network, go elsewhere, open windows, use devices. */
import type { Session, WebContents } from 'electron';
import { APP_ORIGIN, APP_PAGE } from './app-protocol.ts';

/** What the screen needs: copying an address, and pasting an invite on a click. */
const ALLOWED_PERMISSIONS = ['clipboard-read', 'clipboard-sanitized-write'];

export function mayUse(permission: string, origin: string | null): boolean {
  return ALLOWED_PERMISSIONS.includes(permission) && origin === APP_ORIGIN;
}

/** What the page made itself, the diagnostics bundle that is to be saved. */
const OWN_BLOB = `blob:${APP_ORIGIN}/`;

/** Requests that leave the page: its own files, and what it holds in memory. */
export function mayLoad(url: string, devTools: boolean): boolean {
  if ([`${APP_ORIGIN}/`, 'data:image/', OWN_BLOB].some((start) => url.startsWith(start))) return true;
  return devTools && url.startsWith('devtools://');
}

export function hardenSession(session: Session, devTools: boolean): void {
  session.setPermissionRequestHandler((_contents, permission, decide, { requestingUrl }) =>
    decide(mayUse(permission, originOf(requestingUrl))),
  );
  session.setPermissionCheckHandler((_contents, permission, requestingOrigin) =>
    mayUse(permission, originOf(requestingOrigin)),
  );
  session.setDevicePermissionHandler(() => false);
  session.webRequest.onBeforeRequest(({ url }, decide) => decide({ cancel: !mayLoad(url, devTools) }));
  session.on('will-download', (event, item) => {
    if (!item.getURL().startsWith(OWN_BLOB)) event.preventDefault();
  });
}

export function hardenContents(contents: WebContents): void {
  const stayHere = (event: { preventDefault(): void }, url: string): void => {
    if (url.split('#')[0] !== APP_PAGE) event.preventDefault();
  };
  contents.on('will-navigate', (event, url) => stayHere(event, url));
  contents.on('will-redirect', (event, url) => stayHere(event, url));
  contents.on('will-attach-webview', (event) => event.preventDefault());
  contents.setWindowOpenHandler(() => ({ action: 'deny' }));
}

/** Scheme and host of a URL of any scheme: `URL.origin` says "null" for ours. */
function originOf(url: string): string | null {
  if (!URL.canParse(url)) return null;
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}
