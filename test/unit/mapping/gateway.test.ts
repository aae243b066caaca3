import { describe, expect, it } from 'vitest';
import {
  gatewayOfNetstat,
  gatewayOfNetstat6,
  gatewayOfProcRoute,
  gatewayOfProcRoute6,
  gatewayOfRoutePrint,
  gatewayOfRoutePrint6,
} from '../../../engine/net/mapping/gateway.ts';

describe('/proc/net/route', () => {
  const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
  const route = (
    name: string,
    gateway: string,
    flags: string,
    metric: number,
    destination = '00000000',
    mask = '00000000',
  ) => `${name}\t${destination}\t${gateway}\t${flags}\t0\t0\t${metric}\t${mask}\t0\t0\t0\n`;
  const lan = route('eth0', '00000000', '0001', 100, '0001A8C0', '00FFFFFF');

  it('names the default route with the least metric', () => {
    const text = head + route('wlan0', 'FE01A8C0', '0003', 600) + route('eth0', '0101A8C0', '0003', 100) + lan;
    expect(gatewayOfProcRoute(text, [])).toBe('192.168.1.1');
    expect(gatewayOfProcRoute(text, ['eth0'])).toBe('192.168.1.254');
  });

  it('names none where there is none over a gateway', () => {
    expect(gatewayOfProcRoute(head + lan, [])).toBeNull();
    expect(gatewayOfProcRoute(head + route('tun0', '00000000', '0001', 0), [])).toBeNull();
    expect(gatewayOfProcRoute(head + route('eth0', '0101A8C0', '0002', 0), [])).toBeNull();
    expect(gatewayOfProcRoute(head + route('tun0', '010010AC', '0003', 0, '00000000', '00000080'), [])).toBeNull();
    expect(gatewayOfProcRoute('', [])).toBeNull();
    expect(gatewayOfProcRoute('no such\nfile at all\n', [])).toBeNull();
  });
});

describe('route print', () => {
  it('is read by its layout, whatever the language', () => {
    const text = `
===========================================================================
IPv4-Routentabelle
===========================================================================
Aktive Routen:
     Netzwerkziel    Netzwerkmaske          Gateway    Schnittstelle Metrik
          0.0.0.0          0.0.0.0    192.168.178.1   192.168.178.20     35
          0.0.0.0          0.0.0.0         10.8.0.1         10.8.0.2    281
===========================================================================
Ständige Routen:
  Netzwerkadresse          Netzmaske  Gatewayadresse  Metrik
          0.0.0.0          0.0.0.0         10.9.9.9  Standard
===========================================================================
`.replaceAll('\n', '\r\n');
    expect(gatewayOfRoutePrint(text)).toBe('192.168.178.1');
  });

  it('names none where the default route is on the link', () => {
    expect(gatewayOfRoutePrint('  0.0.0.0  0.0.0.0  On-link  10.8.0.2  281\r\n')).toBeNull();
  });
});

describe('netstat -rn', () => {
  it('names the first default route over an address', () => {
    const text = `Routing tables

Internet:
Destination        Gateway            Flags               Netif Expire
default            link#21            UCSg                utun4
default            192.168.1.1        UGScg                 en0
127                127.0.0.1          UCS                   lo0
`;
    expect(gatewayOfNetstat(text, [])).toBe('192.168.1.1');
    expect(gatewayOfNetstat(text, ['en0'])).toBeNull();
  });
});

describe('IPv6', () => {
  const zeros = '0'.repeat(32);
  const route = (
    name: string,
    nextHop: string,
    metric: string,
    flags = '00000003',
    destination = zeros,
    length = '00',
  ) => `${destination} ${length} ${zeros} 00 ${nextHop} ${metric} 00000001 00000000 ${flags} ${name}\n`;
  const linkLocal = 'fe800000000000000000000000000001';
  const global = '20010db8000100000000000000000001';

  it('/proc/net/ipv6_route: a link-local gateway comes with its interface', () => {
    const lan = route('eth0', zeros, '00000100', '00000001', '20010db8000100000000000000000000', '40');
    // The kernel's own entry for what it has no way to.
    const reject = route('lo', zeros, 'ffffffff', '00200200');
    const text = route('wlan0', global, '00000400') + route('eth0', linkLocal, '00000064') + lan + reject;
    expect(gatewayOfProcRoute6(text, [])).toBe('fe80::1%eth0');
    expect(gatewayOfProcRoute6(text, ['eth0'])).toBe('2001:db8:1::1');
    expect(gatewayOfProcRoute6(lan + reject, [])).toBeNull();
    expect(gatewayOfProcRoute6(route('tun0', zeros, '00000001', '00000001'), [])).toBeNull();
    expect(gatewayOfProcRoute6('no such\nfile\n', [])).toBeNull();
  });

  it('route print: by its layout, a long gateway on the next line, persistent routes left out', () => {
    const text = `
Aktive Routen:
 If Metrik Netzwerkziel             Gateway
 12    281 ::/0                     2001:db8:1::1
  7     35 ::/0
                                    fe80::1234:5678:9abc:def0
  1    331 ::1/128                  Auf Verbindung
 12    281 2001:db8:1::/64          Auf Verbindung
===========================================================================
Ständige Routen:
 If Metrik Netzwerkziel             Gateway
  0      1 ::/0                     fe80::9
`.replaceAll('\n', '\r\n');
    expect(gatewayOfRoutePrint6(text)).toBe('fe80::1234:5678:9abc:def0%7');
    expect(gatewayOfRoutePrint6(' 12    281 ::/0                     Auf Verbindung\r\n')).toBeNull();
  });

  it('netstat -rn: not the default routes of tunnels', () => {
    const text = `Routing tables

Internet6:
Destination                             Gateway                         Flags         Netif Expire
default                                 fe80::%utun0                    UGcIg         utun0
default                                 fe80::1%en0                     UGcg            en0
::1                                     ::1                             UHL             lo0
`;
    expect(gatewayOfNetstat6(text, [])).toBe('fe80::1%en0');
    expect(gatewayOfNetstat6(text, ['en0'])).toBeNull();
  });
});
