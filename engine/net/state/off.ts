import type { Snapshot } from '../../../protocol/app.ts';
import { DISCOVERY_OFF } from '../../../protocol/discovery.ts';
import type { PolicyView } from '../../../protocol/filter.ts';
import type { Settings } from './stores.ts';

/** The snapshot while no engine runs. */
export function offSnapshot({ filter, ...toggles }: Settings, policy: PolicyView | null = null): Snapshot {
  return {
    version: 1,
    state: 'off',
    room: null,
    self: null,
    peers: [],
    notices: [],
    chat: [],
    settings: { ...toggles, relayOnly: false },
    discovery: DISCOVERY_OFF,
    filter: { preset: filter, policy },
  };
}
