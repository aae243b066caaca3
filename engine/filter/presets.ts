/** The presets as rules of the device. */
import type { FilterPreset } from '../../protocol/filter.ts';
import type { FilterRules } from '../ports.ts';

/** SSH, Windows RPC, NetBIOS, SMB, remote desktop, VNC: what a stranger in a LAN tries first and no game needs. */
const CLOSED_FOR_GAMES: [number, number][] = [
  [22, 22],
  [135, 135],
  [137, 139],
  [445, 445],
  [3389, 3389],
  [5900, 5900],
];

export const PRESET_RULES: { readonly [P in FilterPreset]: FilterRules } = {
  games: {
    rules: [
      { action: 'deny', protocol: 'tcp', ports: CLOSED_FOR_GAMES },
      { action: 'deny', protocol: 'udp', ports: CLOSED_FOR_GAMES },
    ],
    otherwise: 'accept',
  },
  open: { rules: [], otherwise: 'accept' },
  closed: { rules: [], otherwise: 'deny' },
};
