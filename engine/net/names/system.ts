/**
 * Tells the system that names of the room are resolved here, where it has a way to ask one server for one domain: see
 * system-linux.ts and system-windows.ts. Elsewhere, and without the right, names are found by LLMNR and mDNS.
 */
import { type RunCommand, runCommand } from '../platform/command.ts';
import { hasResolved, tellResolved } from './system-linux.ts';
import { forgetWindows, tellWindows } from './system-windows.ts';

export interface SystemNames {
  interfaceName: string;
  ipv4: string;
  prefixLength: number;
  /** Of the DNS server at `ipv4`. */
  port: number;
}

/** Whether this system can be told at all. */
export function hasSystemNames(platform: NodeJS.Platform = process.platform): boolean {
  return platform === 'win32' || (platform === 'linux' && hasResolved());
}

/** True: programs on this machine resolve `nick.warren` from now on. Never rejects. */
export async function tellSystem(
  names: SystemNames,
  log: (line: string) => void,
  platform: NodeJS.Platform = process.platform,
  run: RunCommand = runCommand,
): Promise<boolean> {
  if (!hasSystemNames(platform)) return false;
  try {
    return platform === 'win32' ? await tellWindows(names, run) : await tellResolved(names, run);
  } catch (error) {
    log(`the system does not take our names: ${(error as Error).message.trim()}`);
    return false;
  }
}

/** Takes back what does not go with the interface. Never rejects. */
export async function forgetSystem(
  interfaceName: string,
  log: (line: string) => void,
  platform: NodeJS.Platform = process.platform,
  run: RunCommand = runCommand,
): Promise<void> {
  if (platform !== 'win32') return;
  await forgetWindows(interfaceName, run).catch((error: unknown) => {
    log(`names stay with the system: ${(error as Error).message.trim()}`);
  });
}
