import type { networkInterfaces } from 'node:os';
import { describe, expect, it, vi } from 'vitest';
import { sleepDetector, systemInterfaces } from '../../../engine/net/interfaces/interfaces.ts';

type Interfaces = ReturnType<typeof networkInterfaces>;

function address(ip: string, prefix: number, internal = false) {
  const family = ip.includes(':') ? 'IPv6' : 'IPv4';
  return { address: ip, netmask: '', family, mac: '', internal, cidr: `${ip}/${prefix}`, scopeid: 0 } as NonNullable<
    Interfaces[string]
  >[number];
}

const host: Interfaces = {
  lo: [address('127.0.0.1', 8, true), address('::1', 128, true)],
  wg0: [address('10.9.0.2', 24)],
  warren0: [address('10.64.0.1', 20)],
  enp3s0: [address('fe80::1', 64), address('2001:db8::7', 64), address('192.168.1.5', 24)],
};

describe('the addresses of this host', () => {
  it('leave out loopback, the tunnel itself and link-local IPv6, and put other VPNs last', () => {
    const found = systemInterfaces({ exclude: ['warren0'], list: () => host }).addresses();
    expect(found).toEqual([
      { ip: '192.168.1.5', family: 4, interface: 'enp3s0', prefixLength: 24, virtual: false },
      { ip: '2001:db8::7', family: 6, interface: 'enp3s0', prefixLength: 64, virtual: false },
      { ip: '10.9.0.2', family: 4, interface: 'wg0', prefixLength: 24, virtual: true },
    ]);
  });

  it('are watched: a change is told once, another order is none, and nothing after the stop', () => {
    vi.useFakeTimers();
    try {
      let present: Interfaces = { a: [address('192.0.2.1', 24)], b: [address('192.0.2.2', 24)] };
      const changed = vi.fn();
      const stop = systemInterfaces({ exclude: [], list: () => present }).watch(changed);
      vi.advanceTimersByTime(10_000);
      present = { b: present.b, a: present.a };
      vi.advanceTimersByTime(10_000);
      expect(changed).not.toHaveBeenCalled();
      present = { a: [address('192.0.2.3', 24)] };
      vi.advanceTimersByTime(2_000);
      expect(changed).toHaveBeenCalledOnce();
      stop();
      present = {};
      vi.advanceTimersByTime(10_000);
      expect(changed).toHaveBeenCalledOnce();
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('a sleep', () => {
  it('is what only the wall clock saw, told once; a blocked main thread is none', () => {
    const slept = sleepDetector(0, 1_000_000);
    expect(slept(2_000, 1_002_000)).toBe(false);
    expect(slept(62_000, 1_062_000)).toBe(false);
    expect(slept(64_000, 1_364_000)).toBe(true);
    expect(slept(66_000, 1_366_000)).toBe(false);
  });
});
