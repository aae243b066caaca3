import { describe, expect, it } from 'vitest';
import { GAMES } from '../../../engine/core/discovery/games.ts';
import { Discovery, type DiscoveryOptions } from '../../../engine/discovery/discovery.ts';
import { metricScript, systemTun } from '../../../engine/net/lan/broadcast-way.ts';
import { powershell } from '../../../engine/net/platform/command.ts';
import type { BroadcastWay } from '../../../engine/ports.ts';
import { FakeSystem } from '../fake-system.ts';

const LIMITED = '255.255.255.255/32';
const GROUPS = ['224.0.2.60/32', '239.255.78.68/32'];

const silent = () => {};

/** An interface that remembers what it was given. */
class Tun {
  readonly name = 'warren0';
  readonly capture: number | null;
  readonly given: { addresses: string[]; routes?: string[] }[] = [];

  constructor(capture: number | null = null) {
    this.capture = capture;
  }

  async configure(config: { addresses: string[]; routes?: string[] }): Promise<void> {
    this.given.push(config);
  }
}

function discovery(way: BroadcastWay, on = true): Discovery {
  const options: Partial<DiscoveryOptions> = { way, on, games: GAMES, lan: null, configure: () => {} };
  return new Discovery(options as DiscoveryOptions);
}

describe('the way of broadcasts into the tunnel', () => {
  it.each([
    ['linux', 7, 'copies'],
    ['linux', null, 'routes'],
    ['win32', null, 'metric'],
    ['darwin', null, 'routes'],
  ] as const)('on %s with a capture of %s: %s', (platform, capture, way) => {
    expect(systemTun(new Tun(capture), silent, platform).way).toBe(way);
  });

  it('is none without an interface', () => {
    expect(systemTun(null, silent, 'win32')).toMatchObject({ name: null, way: 'no-interface' });
  });

  it('needs routes only where neither copies nor the metric decide', () => {
    expect(discovery('routes').routes).toEqual([LIMITED, ...GROUPS]);
    expect(discovery('copies').routes).toEqual(GROUPS);
    expect(discovery('metric').routes).toEqual([]);
  });

  it.each(['routes', 'copies', 'metric'] as const)('leaves nothing when it is switched off: %s', (way) => {
    expect(discovery(way, false)).toMatchObject({ routes: [], first: false });
  });
});

describe('the metric of a Windows interface', () => {
  it('is the lowest while discovery is on, and its own again afterwards', async () => {
    const system = new FakeSystem(() => '');
    const tun = new Tun();
    const port = systemTun(tun, silent, 'win32', system.run);
    for (const on of [true, false]) {
      const { routes, first } = discovery(port.way, on);
      await port.configure({ addresses: ['10.64.0.2/20'], routes, first });
    }
    expect(tun.given).toEqual([
      { addresses: ['10.64.0.2/20'], routes: [] },
      { addresses: ['10.64.0.2/20'], routes: [] },
    ]);
    expect(system.script(0)).toContain(
      "Set-NetIPInterface -InterfaceAlias 'warren0' -AddressFamily IPv4 -AutomaticMetric Disabled -InterfaceMetric 1 -PolicyStore ActiveStore",
    );
    expect(system.script(1)).toContain("-InterfaceAlias 'warren0' -AddressFamily IPv4 -AutomaticMetric Enabled");
    expect(system.commands).toHaveLength(2);
  });

  it('that cannot be set costs no room', async () => {
    const system = new FakeSystem(() => {
      throw new Error('Access is denied.');
    });
    const port = systemTun(new Tun(), (_, line) => system.logged.push(line), 'win32', system.run);
    await port.configure({ addresses: [], routes: [], first: true });
    expect(system.logged).toEqual(['the metric of warren0 stays: Access is denied.']);
  });

  it('is not touched elsewhere', async () => {
    const system = new FakeSystem(() => '');
    await systemTun(new Tun(), silent, 'linux', system.run).configure({ addresses: [], routes: [], first: false });
    expect(system.commands).toEqual([]);
  });

  it('is asked for by a name that stays a name', () => {
    expect(metricScript("w'; Remove-Item C:\\ #", true)).toContain("'w''; Remove-Item C:\\ #'");
  });

  it('is set by the PowerShell of the system, whatever lies in PATH', async () => {
    const system = new FakeSystem(() => '');
    await powershell('x', system.run, { SystemRoot: 'D:\\Win' });
    expect(system.commands[0]?.file).toBe('D:\\Win\\System32\\WindowsPowerShell\\v1.0\\powershell.exe');
  });
});
