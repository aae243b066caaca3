/** Finds and loads the native addon, once. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

import { WireguardError } from './errors.ts';
import type { DeviceOptions, WireguardDevice } from './types.ts';

/** What the addon exports. */
export interface Addon {
  Device: new (options: DeviceOptions) => WireguardDevice;
  setErrorClass(errorClass: new (code: WireguardError['code'], message: string) => WireguardError): void;
}

let loaded: Addon | undefined;

/** @throws WireguardError `addon-missing` when it was not built or does not fit this machine. */
export function loadAddon(): Addon {
  loaded ??= requireAddon();
  return loaded;
}

function requireAddon(): Addon {
  // Sources lie beside build/, emitted files in dist/ one level below.
  const root = import.meta.url.endsWith('.ts') ? './' : '../';
  const path = fileURLToPath(new URL(`${root}build/Release/wireguard.node`, import.meta.url));
  try {
    const addon = createRequire(import.meta.url)(path) as Addon;
    addon.setErrorClass(WireguardError);
    return addon;
  } catch (cause) {
    throw new WireguardError('addon-missing', `${path} does not load: run "npm install" again to build it.`, { cause });
  }
}
