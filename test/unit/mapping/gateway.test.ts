import { describe, expect, it } from 'vitest';
import { gatewayOfNetstat, gatewayOfProcRoute, gatewayOfRoutePrint } from '../../../engine/net/mapping/gateway.ts';

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
