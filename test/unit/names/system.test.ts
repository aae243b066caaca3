/** What the system is told, each by the commands that it would run: Windows is not here, systemd-resolved may not be. */
import { describe, expect, it } from 'vitest';
import { reverseZones } from '../../../engine/net/names/reverse.ts';
import { forgetSystem, tellSystem } from '../../../engine/net/names/system.ts';
import { resolvedCommands } from '../../../engine/net/names/system-linux.ts';
import { FakeSystem } from '../fake-system.ts';

const names = { interfaceName: 'warren0', ipv4: '10.64.16.2', prefixLength: 20, port: 53 };

describe('systemd-resolved', () => {
  it('asks this host about the room, by name and by address, and about nothing else', () => {
    const [dns, domain, route] = resolvedCommands({ ...names, prefixLength: 22 });
    expect(dns).toEqual(['dns', 'warren0', '10.64.16.2']);
    expect(domain).toEqual([
      'domain',
      'warren0',
      '~warren',
      ...[16, 17, 18, 19].map((third) => `~${third}.64.10.in-addr.arpa`),
    ]);
    expect(route).toEqual(['default-route', 'warren0', 'no']);
  });

  it('is told of another port where 53 is taken', () => {
    expect(resolvedCommands({ ...names, port: 5300 })[0]).toEqual(['dns', 'warren0', '10.64.16.2:5300']);
  });

  it('covers every address of the room', () => {
    expect(reverseZones('10.64.31.255', 20)).toEqual(reverseZones('10.64.16.2', 20));
    expect(reverseZones('10.64.16.2', 20)).toHaveLength(16);
    expect(reverseZones('10.64.16.2', 24)).toEqual(['16.64.10.in-addr.arpa']);
  });
});

describe('Windows', () => {
  const tell = (system: FakeSystem, change: Partial<typeof names> = {}) =>
    tellSystem({ ...names, ...change }, (line) => system.logged.push(line), 'win32', system.run);

  it('asks this host about the room, with the rules of a Warren that is no more taken away first', async () => {
    const system = new FakeSystem(() => 'effective\r\n');
    expect(await tell(system, { prefixLength: 23 })).toBe(true);
    expect(system.script(0)).toBe(
      [
        "$ErrorActionPreference = 'Stop'",
        "Get-DnsClientNrptRule | Where-Object { $_.Comment -like 'Warren names on *' -and ($_.Comment.Substring(16) -eq 'warren0' -or -not (Get-NetAdapter -IncludeHidden -Name $_.Comment.Substring(16) -ErrorAction SilentlyContinue)) } | ForEach-Object { Remove-DnsClientNrptRule -Name $_.Name -Force }",
        "Add-DnsClientNrptRule -Namespace '.warren','.16.64.10.in-addr.arpa','.17.64.10.in-addr.arpa' -NameServers '10.64.16.2' -Comment 'Warren names on warren0'",
        'Clear-DnsClientCache',
        "if (Get-DnsClientNrptPolicy -Effective | Where-Object { $_.Namespace -contains '.warren' }) { 'effective' }",
      ].join('\n'),
    );
  });

  it('is believed only when the rule has an effect: group policy replaces the table', async () => {
    expect(await tell(new FakeSystem(() => ''))).toBe(false);
  });

  it('is not told of a port that its table cannot hold', async () => {
    const system = new FakeSystem(() => 'effective');
    expect(await tell(system, { port: 5300 })).toBe(false);
    expect(system.commands).toEqual([]);
  });

  it('that refuses leaves the names to LLMNR and mDNS, and says why', async () => {
    const system = new FakeSystem(() => {
      throw new Error('Access is denied.\r\n');
    });
    expect(await tell(system)).toBe(false);
    expect(system.logged).toEqual([expect.stringContaining('Access is denied.')]);
  });

  it('forgets at the end, also where it cannot', async () => {
    const system = new FakeSystem(() => '');
    const log = (line: string) => system.logged.push(line);
    await forgetSystem('warren0', log, 'win32', system.run);
    expect(system.script(0)).toContain('Remove-DnsClientNrptRule');
    expect(system.script(0)).not.toContain('Add-DnsClientNrptRule');
    await forgetSystem('warren0', log, 'win32', () => Promise.reject(new Error('no right')));
    expect(system.logged).toEqual([expect.stringContaining('no right')]);
  });
});

describe('where the setting goes with the interface, or there is none', () => {
  it.each(['linux', 'darwin'] as const)('nothing is left to take back: %s', async (platform) => {
    const system = new FakeSystem(() => '');
    await forgetSystem('warren0', () => {}, platform, system.run);
    expect(system.commands).toEqual([]);
  });

  it('an unknown system is not told', async () => {
    const system = new FakeSystem(() => 'effective');
    expect(await tellSystem(names, () => {}, 'darwin', system.run)).toBe(false);
    expect(system.commands).toEqual([]);
  });
});
