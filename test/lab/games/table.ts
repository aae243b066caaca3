/** The games of the design's table, each with a packet of the shape that it sends to find others. */

export interface GameRow {
  name: string;
  /** `room`: the room's directed broadcast; `lan`: that of the sender's home network. */
  to: '255.255.255.255' | 'room' | 'lan' | `224.${string}` | `239.${string}`;
  ports: readonly number[];
  /** 0: any. */
  sourcePort: number;
  hex: string;
}

const hexOf = (text: string) => Buffer.from(text, 'latin1').toString('hex');
const range = (low: number, high: number, step = 1) =>
  Array.from({ length: Math.floor((high - low) / step) + 1 }, (_, index) => low + index * step);
const limited = '255.255.255.255';

export const GAME_ROWS: readonly GameRow[] = [
  // W3GS_SEARCHGAME: f7 2f, length, product "W3XP", version, host counter.
  {
    name: 'Warcraft III',
    to: limited,
    ports: [6112],
    sourcePort: 6112,
    hex: `f72f1000${hexOf('PX3W')}1a00000000000000`,
  },
  { name: 'StarCraft: Brood War', to: limited, ports: [6111], sourcePort: 6111, hex: '0800ba3c1000020100000000' },
  // A2S_INFO.
  {
    name: 'Source engine',
    to: limited,
    ports: range(27_015, 27_020),
    sourcePort: 0,
    hex: `ffffffff54${hexOf('Source Engine Query')}00`,
  },
  {
    name: 'Minecraft Java',
    to: '224.0.2.60',
    ports: [4445],
    sourcePort: 0,
    hex: hexOf('[MOTD]ann - world[/MOTD][AD]51234[/AD]'),
  },
  { name: 'ArmA 2 / DayZ', to: limited, ports: range(2302, 2470, 12), sourcePort: 0, hex: 'fefd0900000000' },
  { name: 'Trackmania', to: limited, ports: range(2350, 2360), sourcePort: 0, hex: `0e000000${hexOf('TMNF')}0300` },
  { name: 'Unreal Tournament 2004', to: limited, ports: [10_777], sourcePort: 0, hex: '8000000000' },
  { name: 'Warsow', to: limited, ports: [44_400], sourcePort: 0, hex: `ffffffff${hexOf('info 22 full empty')}` },
  { name: 'FlatOut 2', to: limited, ports: [23_757], sourcePort: 23_757, hex: `${'22'.repeat(8)}${hexOf('FO14')}00` },
  { name: 'Blur', to: limited, ports: [50_001], sourcePort: 50_001, hex: '0101000000c0ffee' },
  { name: 'Torchlight 2', to: limited, ports: [4549], sourcePort: 0, hex: '00ff00fe00fd00fc' },
  { name: 'Titan Quest', to: limited, ports: [42_801], sourcePort: 0, hex: `${hexOf('TQIT')}01000000` },
  { name: 'Command & Conquer 3', to: limited, ports: [8086], sourcePort: 8086, hex: 'f00d0a0000000102' },
  // PACKET_UDP_CLIENT_FIND_SERVER: length 3, type 0.
  { name: 'OpenTTD', to: 'lan', ports: [3979], sourcePort: 0, hex: '030000' },
  { name: 'OpenTTD, by the tunnel', to: 'room', ports: [3979], sourcePort: 0, hex: '030000' },
  // DPSP_MSG_ENUMSESSIONS begins with size and token, and a sockaddr.
  {
    name: 'DirectPlay 4',
    to: limited,
    ports: [47_624],
    sourcePort: 2300,
    hex: `340000fa020008fc${'00'.repeat(12)}${hexOf('play')}0200`,
  },
  { name: 'DirectPlay 4, its sessions', to: limited, ports: range(2300, 2400, 10), sourcePort: 0, hex: '340000fa' },
  { name: 'DirectPlay 8', to: limited, ports: [6073], sourcePort: 0, hex: '00020000020000' },
  {
    name: 'IPX game through IPXWrapper',
    to: limited,
    ports: [54_792],
    sourcePort: 54_792,
    hex: `${'ff'.repeat(12)}213701${'00'.repeat(9)}0004abcd`,
  },
];
