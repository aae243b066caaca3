/** The default gateway of a family, as each system tells it. The texts are parsed apart from where they come from. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { isIPv4, isIPv6 } from 'node:net';
import { canonicalIp } from '../../core/candidates/address.ts';

export interface GatewayOptions {
  /** Interfaces whose routes do not count: the tunnel's own. */
  exclude: readonly string[];
  platform?: NodeJS.Platform;
}

/** fe80::/10: such an address means something with its interface only. */
const LINK_LOCAL = /^fe[89ab]/i;

/** A system command that has not answered by then will not. */
const COMMAND_TIMEOUT_MS = 5_000;
/** Flags of linux/route.h: the route is up, and leads over a gateway. */
const RTF_UP = 0x1;
const RTF_GATEWAY = 0x2;

/** Null where there is no default route over a gateway, or the system does not say. */
export async function defaultGateway({ exclude, platform = process.platform }: GatewayOptions): Promise<string | null> {
  try {
    switch (platform) {
      case 'linux':
        return gatewayOfProcRoute(await readFile('/proc/net/route', 'latin1'), exclude);
      case 'win32':
        return gatewayOfRoutePrint(await output('route.exe', ['print', '-4', '0.0.0.0']));
      case 'darwin':
      case 'freebsd':
        return gatewayOfNetstat(await output('netstat', ['-rn', '-f', 'inet']), exclude);
      default:
        return null;
    }
  } catch {
    return null;
  }
}

/** The same for IPv6: most gateways have a link-local address there, which comes with its zone (`fe80::1%eth0`). */
export async function defaultGateway6({
  exclude,
  platform = process.platform,
}: GatewayOptions): Promise<string | null> {
  try {
    switch (platform) {
      case 'linux':
        return gatewayOfProcRoute6(await readFile('/proc/net/ipv6_route', 'latin1'), exclude);
      case 'win32':
        return gatewayOfRoutePrint6(await output('route.exe', ['print', '-6', '::/0']));
      case 'darwin':
      case 'freebsd':
        return gatewayOfNetstat6(await output('netstat', ['-rn', '-f', 'inet6']), exclude);
      default:
        return null;
    }
  } catch {
    return null;
  }
}

function output(file: string, argv: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(file, argv, { timeout: COMMAND_TIMEOUT_MS, windowsHide: true }, (error, stdout) => {
      if (error) reject(error);
      else resolve(stdout);
    });
  });
}

/** /proc/net/route: addresses are hex in host byte order, of which all systems that Warren runs on have the little one. */
export function gatewayOfProcRoute(text: string, exclude: readonly string[]): string | null {
  const routes = text.split('\n').flatMap((line) => {
    const [name = '', destination, gateway = '', flags = '0', , , metric = '0', mask] = line.trim().split(/\s+/);
    const isDefault = destination === '00000000' && mask === '00000000' && /^[0-9A-F]{8}$/i.test(gateway);
    const overGateway = (Number.parseInt(flags, 16) & (RTF_UP | RTF_GATEWAY)) === (RTF_UP | RTF_GATEWAY);
    if (!isDefault || !overGateway || exclude.includes(name)) return [];
    const bytes = Buffer.from(gateway, 'hex').swap32();
    return [{ ip: [...bytes].join('.'), metric: Number(metric) }];
  });
  return best(routes);
}

/** `route print`: network destination, netmask, gateway, interface, metric. Only the layout is read: words are translated. */
export function gatewayOfRoutePrint(text: string): string | null {
  const routes = text.split(/\r?\n/).flatMap((line) => {
    const [destination, mask, gateway = '', local = '', metric = '0'] = line.trim().split(/\s+/);
    if (destination !== '0.0.0.0' || mask !== '0.0.0.0' || !isIPv4(gateway) || !isIPv4(local)) return [];
    return [{ ip: gateway, metric: Number(metric) }];
  });
  return best(routes);
}

/** `netstat -rn`: destination, gateway, flags, interface; the first default route is the one in use. */
export function gatewayOfNetstat(text: string, exclude: readonly string[]): string | null {
  for (const line of text.split('\n')) {
    const [destination, gateway = '', , name = ''] = line.trim().split(/\s+/);
    if (destination === 'default' && isIPv4(gateway) && !exclude.includes(name)) return gateway;
  }
  return null;
}

/** /proc/net/ipv6_route: destination, its length, source, its length, next hop, metric, two counters, flags, interface. */
export function gatewayOfProcRoute6(text: string, exclude: readonly string[]): string | null {
  const routes = text.split('\n').flatMap((line) => {
    const [destination, length, , , nextHop = '', metric = '0', , , flags = '0', name = ''] = line.trim().split(/\s+/);
    const isDefault = destination === '0'.repeat(32) && length === '00' && /^[0-9a-f]{32}$/i.test(nextHop);
    const overGateway = (Number.parseInt(flags, 16) & (RTF_UP | RTF_GATEWAY)) === (RTF_UP | RTF_GATEWAY);
    if (!isDefault || !overGateway || exclude.includes(name)) return [];
    const groups = nextHop.match(/.{4}/g) ?? [];
    return [{ ip: zoned(groups.join(':'), name), metric: Number.parseInt(metric, 16) }];
  });
  return best(routes);
}

/** `route print -6`: interface index, metric, destination, gateway; a long gateway stands on a line of its own. */
export function gatewayOfRoutePrint6(text: string): string | null {
  const routes = [...text.matchAll(/(\d+)\s+(\d+)\s+::\/0\s+([0-9a-f:]+)(?=\s|$)/gi)].flatMap(
    ([, index = '0', metric, gateway = '']) => {
      // Persistent routes are listed once more, without an interface.
      if (index === '0' || !isIPv6(gateway)) return [];
      return [{ ip: zoned(gateway, index), metric: Number(metric) }];
    },
  );
  return best(routes);
}

/** `netstat -rn`, as for IPv4; a tunnel's route has `fe80::%utun0`, the address of nobody. */
export function gatewayOfNetstat6(text: string, exclude: readonly string[]): string | null {
  for (const line of text.split('\n')) {
    const [destination, gateway = '', , name = ''] = line.trim().split(/\s+/);
    const [ip = ''] = gateway.split('%');
    if (destination !== 'default' || !isIPv6(ip) || canonicalIp(ip) === 'fe80::' || exclude.includes(name)) continue;
    return zoned(ip, name);
  }
  return null;
}

function zoned(ip: string, zone: string): string {
  const text = canonicalIp(ip);
  return LINK_LOCAL.test(text) ? `${text}%${zone}` : text;
}

function best(routes: readonly { ip: string; metric: number }[]): string | null {
  const [first] = [...routes].sort((a, b) => a.metric - b.metric);
  return first !== undefined && first.ip !== '0.0.0.0' && first.ip !== '::' ? first.ip : null;
}
