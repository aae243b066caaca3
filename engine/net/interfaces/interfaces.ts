/** The host's addresses, watched by polling: every system has it, and two seconds are soon enough to gather again. */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { HostAddress, InterfacesPort } from '../../ports.ts';
import { systemClock } from '../clock.ts';

/** One look costs well under a millisecond; a player who changes networks should not wait for more than this. */
const POLL_MS = 2_000;
/** The wall clock runs on in sleep and the monotonic clock does not. Above every step that NTP slews. */
const SLEEP_MS = 5_000;

/** Names that VPNs and virtual machines give their interfaces. */
const VIRTUAL_NAME =
  /^(?:tun|tap|wg|utun|ppp|ipsec|zt|tailscale|warren|nordlynx|proton|mullvad|docker|br-|virbr|vmnet|vboxnet)/i;
/** ARPHRD_NONE of linux/if_arp.h: a layer 3 tunnel. */
const ARPHRD_NONE = '65534';

export interface InterfacesOptions {
  /** The tunnel's own interfaces. */
  exclude: string[];
  /** Replaced by tests. */
  list?: typeof networkInterfaces;
}

export function systemInterfaces(options: InterfacesOptions): InterfacesPort {
  const list = options.list ?? networkInterfaces;
  const addresses = () => hostAddresses(list(), options.exclude);
  return {
    addresses,
    watch(changed) {
      const sleep = sleepDetector(systemClock.now(), systemClock.epoch());
      let known = JSON.stringify(addresses());
      const timer = setInterval(() => {
        const present = JSON.stringify(addresses());
        const slept = sleep(systemClock.now(), systemClock.epoch());
        if (present === known && !slept) return;
        known = present;
        changed();
      }, POLL_MS);
      timer.unref();
      return () => clearInterval(timer);
    },
  };
}

/** Says whether the host slept since the last call, from monotonic and Unix time in ms. */
export function sleepDetector(now: number, epoch: number): (now: number, epoch: number) => boolean {
  let offset = epoch - now;
  return (later, laterEpoch) => {
    const slept = laterEpoch - later - offset > SLEEP_MS;
    offset = laterEpoch - later;
    return slept;
  };
}

/** Sorted, so that a mere change of order is none. Link-local IPv6 means nothing to another host. */
function hostAddresses(interfaces: ReturnType<typeof networkInterfaces>, exclude: string[]): HostAddress[] {
  const found: HostAddress[] = [];
  for (const [name, addresses] of Object.entries(interfaces)) {
    if (exclude.includes(name)) continue;
    const virtual = isVirtual(name);
    for (const { address, family, internal, cidr } of addresses ?? []) {
      if (internal || /^fe[89ab]/i.test(address)) continue;
      const prefixLength = Number(cidr?.split('/')[1] ?? (family === 'IPv6' ? 128 : 32));
      found.push({ ip: address, family: family === 'IPv6' ? 6 : 4, interface: name, prefixLength, virtual });
    }
  }
  return found.toSorted(
    (a, b) => Number(a.virtual) - Number(b.virtual) || a.family - b.family || (a.ip < b.ip ? -1 : 1),
  );
}

function isVirtual(name: string): boolean {
  if (VIRTUAL_NAME.test(name)) return true;
  if (process.platform !== 'linux') return false;
  try {
    return readFileSync(`/sys/class/net/${name}/type`, 'latin1').trim() === ARPHRD_NONE;
  } catch {
    return false;
  }
}
