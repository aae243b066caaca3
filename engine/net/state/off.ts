import type { Snapshot } from '../../../protocol/app.ts';
import type { PolicyView } from '../../../protocol/filter.ts';
import type { Settings } from './stores.ts';

/** The snapshot while no engine runs. */
export function offSnapshot({ portMapping, hardNat, filter }: Settings, policy: PolicyView | null = null): Snapshot {
  return {
    version: 1,
    state: 'off',
    room: null,
    self: null,
    peers: [],
    notices: [],
    chat: [],
    settings: { portMapping, hardNat, relayOnly: false },
    filter: { preset: filter, policy },
  };
}
