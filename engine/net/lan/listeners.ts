/**
 * UDP sockets of this host that are bound to one address alone. A game that listens so on the home network's address never
 * hears what friends answer to the tunnel's. The texts are parsed apart from where they come from.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { promisify } from 'node:util';
import type { Endpoint } from '../../ports.ts';

/** A system command that has not answered by then will not. */
const COMMAND_MS = 5_000;

/** IPv4 only, as games' broadcasts are; without those bound to every address or to loopback. Empty where it cannot be known. */
export async function boundListeners(platform: NodeJS.Platform = process.platform): Promise<Endpoint[]> {
  try {
    if (platform === 'linux') return listenersOfProc(await readFile('/proc/net/udp', 'latin1'));
    if (platform === 'win32') {
      const { stdout } = await promisify(execFile)('netstat.exe', ['-an', '-p', 'UDP'], {
        timeout: COMMAND_MS,
        windowsHide: true,
      });
      return listenersOfNetstat(stdout);
    }
  } catch {
    // Told by nobody: as if there were none.
  }
  return [];
}

/** /proc/net/udp: the address is hex in host byte order, of which all systems that Warren runs on have the little one. */
export function listenersOfProc(text: string): Endpoint[] {
  return text.split('\n').flatMap((line) => {
    const [, address, port] = /^\s*\d+: ([0-9A-F]{8}):([0-9A-F]{4}) /.exec(line) ?? [];
    if (address === undefined || port === undefined) return [];
    return ofOneAddress([...Buffer.from(address, 'hex').swap32()].join('.'), Number.parseInt(port, 16));
  });
}

/** `netstat -an`: protocol, local address, `*:*`. Only the layout is read: the headings are translated. */
export function listenersOfNetstat(text: string): Endpoint[] {
  return text.split(/\r?\n/).flatMap((line) => {
    const [, ip = '', port] = /^\s*UDP\s+([\d.]+):(\d+)\s/.exec(line) ?? [];
    return isIPv4(ip) ? ofOneAddress(ip, Number(port)) : [];
  });
}

function ofOneAddress(ip: string, port: number): Endpoint[] {
  return ip === '0.0.0.0' || ip.startsWith('127.') ? [] : [{ ip, port }];
}
