/**
 * How broadcasts of this host get into the tunnel, on each system:
 *
 * - Linux: copied where the right exists (native/src/tun/linux_host_capture.cc), by a route to 255.255.255.255 elsewhere.
 * - Windows sends limited broadcasts and multicast by the interface of the lowest metric, so the tunnel's is made the lowest while
 *   discovery is on. Only its own metric is touched, in the active store: it goes with the interface, however the process ends.
 */
import type { BroadcastWay, TunPort } from '../../ports.ts';
import { literal, powershell, type RunCommand, runCommand } from '../platform/command.ts';

/** The part of an open TUN interface that matters here. */
interface Tun {
  readonly name: string;
  readonly capture: number | null;
  configure(config: { addresses: string[]; routes?: string[] }): Promise<void>;
}

/** Below every physical interface: Windows gives those 5 and more. */
const LOWEST_METRIC = 1;

/** `tun` null: a memory device, which takes every configuration. A metric that cannot be set is logged: the room goes on without. */
export function systemTun(
  tun: Tun | null,
  log: (level: 'warn', message: string) => void,
  platform: NodeJS.Platform = process.platform,
  run: RunCommand = runCommand,
): TunPort {
  const way = broadcastWay(tun, platform);
  return {
    name: tun?.name ?? null,
    way,
    async configure({ addresses, routes, first }) {
      await tun?.configure({ addresses, routes });
      if (tun === null || way !== 'metric') return;
      await powershell(metricScript(tun.name, first), run).catch((error: unknown) => {
        log('warn', `the metric of ${tun.name} stays: ${(error as Error).message.trim()}`);
      });
    },
  };
}

function broadcastWay(tun: Tun | null, platform: NodeJS.Platform): BroadcastWay {
  if (tun === null) return 'no-interface';
  if (platform === 'win32') return 'metric';
  return tun.capture === null ? 'routes' : 'copies';
}

/** IPv4 alone has broadcasts. */
export function metricScript(interfaceName: string, first: boolean): string {
  const metric = first ? `-AutomaticMetric Disabled -InterfaceMetric ${LOWEST_METRIC}` : '-AutomaticMetric Enabled';
  return `Set-NetIPInterface -InterfaceAlias ${literal(interfaceName)} -AddressFamily IPv4 ${metric} -PolicyStore ActiveStore -Confirm:$false`;
}
