import { once } from 'node:events';
import type { NetworkInterfaceInfo } from 'node:os';
import { afterEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { SERVER_PATH } from '../../../server/gate.ts';
import { type Hosted, hostAddresses, type PortMapper, startHosted } from '../../../server/hosted.ts';
import { until } from '../../until.ts';

type Interfaces = Record<string, NetworkInterfaceInfo[]>;

const address = (ip: string, internal = false): NetworkInterfaceInfo =>
  ({ address: ip, internal, family: ip.includes(':') ? 'IPv6' : 'IPv4' }) as NetworkInterfaceInfo;

const HOME: Interfaces = {
  lo: [address('127.0.0.1', true), address('::1', true)],
  eth0: [address('192.168.1.5'), address('fe80::1'), address('2001:db8::5')],
};

let hosted: Hosted | null = null;
afterEach(async () => {
  await hosted?.close();
  hosted = null;
});

/** Port mappings that the test grants. */
class TestMapper implements PortMapper {
  readonly opened: {
    transport: string;
    port: number;
    closed: boolean;
    grant(ip: string | null, port?: number): void;
  }[] = [];

  open(transport: 'udp' | 'tcp', internalPort: number, changed: () => void): ReturnType<PortMapper['open']> {
    let external: { ip: string; port: number } | undefined;
    const entry = {
      transport,
      port: internalPort,
      closed: false,
      grant: (ip: string | null, port = internalPort) => {
        external = ip === null ? undefined : { ip, port };
        changed();
      },
    };
    this.opened.push(entry);
    return {
      view: () => (external === undefined ? { state: 'none' } : { state: 'active', external }),
      close: async () => {
        entry.closed = true;
      },
    };
  }
}

const portOf = (url: string) => Number(new URL(url).port);

it('answers at its local URL, and tells the addresses of this machine', async () => {
  hosted = await startHosted({ portMapper: null, interfaces: () => HOME });
  const port = portOf(hosted.localUrl);
  expect(hosted.localUrl).toBe(`ws://127.0.0.1:${port}`);
  expect(hosted.urls).toEqual([`ws://[2001:db8::5]:${port}`, `ws://192.168.1.5:${port}`]);
  expect(hosted.reachable).toBeNull();
  const socket = new WebSocket(`${hosted.localUrl}${SERVER_PATH}`);
  await once(socket, 'open');
  socket.terminate();
});

it('takes another port where the usual one is taken', async () => {
  const first = await startHosted({ portMapper: null, interfaces: () => HOME });
  hosted = await startHosted({ portMapper: null, interfaces: () => HOME });
  expect(portOf(hosted.localUrl)).not.toBe(portOf(first.localUrl));
  await first.close();
});

it('puts the mapped address first, and says whether the Internet can reach it', async () => {
  const mapper = new TestMapper();
  hosted = await startHosted({ portMapper: mapper, interfaces: () => ({ eth0: [address('192.168.1.5')] }) });
  const port = portOf(hosted.localUrl);
  expect(mapper.opened).toMatchObject([{ transport: 'tcp', port }, { transport: 'udp' }, { transport: 'udp' }]);
  expect(new Set(mapper.opened.map((entry) => entry.port)).size).toBe(3);
  let changes = 0;
  hosted.onChange(() => (changes += 1));
  mapper.opened[0]?.grant('203.0.113.9', 40_000);
  expect(hosted.urls).toEqual(['ws://203.0.113.9:40000', `ws://192.168.1.5:${port}`]);
  expect(hosted.reachable).toBe(true);
  mapper.opened[0]?.grant('203.0.113.9', 40_000);
  expect(changes).toBe(1);
  // A second router stands before the one that answered.
  mapper.opened[0]?.grant('10.0.0.7');
  expect(hosted.reachable).toBe(false);
  mapper.opened[0]?.grant(null);
  expect(hosted.urls).toEqual([`ws://192.168.1.5:${port}`]);
  expect(hosted.reachable).toBeNull();
  await hosted.close();
  expect(mapper.opened.every(({ closed }) => closed)).toBe(true);
});

it('tells when this machine moves to another network', async () => {
  let interfaces: Interfaces = HOME;
  hosted = await startHosted({ portMapper: null, interfaces: () => interfaces });
  let changed = false;
  hosted.onChange(() => (changed = true));
  interfaces = { wlan0: [address('10.1.2.3')] };
  await until('a change', () => changed);
  expect(hosted.urls.map((url) => new URL(url).hostname)).toEqual(['10.1.2.3']);
});

it('prefers public addresses, then real interfaces, and never its own tunnel', () => {
  expect(
    hostAddresses({
      docker0: [address('172.17.0.1')],
      warren0: [address('10.64.0.1')],
      lo: [address('127.0.0.1', true)],
      eth0: [address('192.168.1.5'), address('fd00::5'), address('169.254.3.4')],
      eth1: [address('2001:db8::7'), address('2001:db8::5'), address('2001:db8::6'), address('203.0.113.5')],
    }),
  ).toEqual(['203.0.113.5', '2001:db8::5', '192.168.1.5', 'fd00::5', '172.17.0.1']);
});
