/** `node-wireguard`: WireGuard in user space for Node and Electron. */
import { loadAddon } from './addon.ts';
import type { DeviceOptions, WireguardDevice } from './types.ts';

export { WireguardError } from './errors.ts';
export { openTun } from './tun.ts';
export type * from './types.ts';

export type Device = WireguardDevice;

/**
 * Opens a device: its sockets are bound and its threads run. It keeps the process alive until `close`.
 *
 * @throws WireguardError `invalid`, `port-taken`, `no-rights`, `unsupported`, `closed` (the TUN) or `addon-missing`
 */
export const Device = function open(options: DeviceOptions): WireguardDevice {
  // The addon is looked for on first use only: who imports types or errors does not need it.
  return new (loadAddon().Device)(options);
} as unknown as new (
  options: DeviceOptions,
) => WireguardDevice;
