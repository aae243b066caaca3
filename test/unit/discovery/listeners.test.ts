import { describe, expect, it } from 'vitest';
import { deafFindings } from '../../../cli/commands/doctor-discovery.ts';
import { GAMES } from '../../../engine/core/discovery/games.ts';
import { listenersOfNetstat, listenersOfProc } from '../../../engine/net/lan/listeners.ts';

const PROC = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  112: 00000000:14E9 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 20131 2 0000000000000000 0
  310: 0501A8C0:17E0 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 20132 2 0000000000000000 0
  311: 0100007F:17E0 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 20133 2 0000000000000000 0
  312: 0200400A:17E0 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 20134 2 0000000000000000 0
`;

// From a German Windows: only the layout is the same everywhere.
const NETSTAT = `
Aktive Verbindungen

  Proto  Lokale Adresse         Remoteadresse          Status
  UDP    0.0.0.0:5353           *:*                    \r
  UDP    192.168.1.5:6112       *:*                    \r
  UDP    127.0.0.1:6112         *:*                    \r
  UDP    [fe80::1%4]:1900       *:*                    \r
`;

describe('sockets that are bound to one address', () => {
  it('are read from /proc/net/udp', () => {
    expect(listenersOfProc(PROC)).toEqual([
      { ip: '192.168.1.5', port: 6112 },
      { ip: '10.64.0.2', port: 6112 },
    ]);
  });

  it('are read from netstat, whatever its language', () => {
    expect(listenersOfNetstat(NETSTAT)).toEqual([{ ip: '192.168.1.5', port: 6112 }]);
  });

  it('are told of when a game uses their port and they miss the tunnel', () => {
    const listeners = [
      { ip: '192.168.1.5', port: 6112 },
      { ip: '10.64.0.2', port: 6112 },
      { ip: '192.168.1.5', port: 123 },
      { ip: '224.0.2.60', port: 4445 },
    ];
    const findings = deafFindings(listeners, '10.64.0.2', GAMES);
    expect(findings).toEqual([
      { check: 'discovery', result: 'note', detail: expect.stringContaining('192.168.1.5:6112 alone (Warcraft III?)') },
    ]);
  });
});
