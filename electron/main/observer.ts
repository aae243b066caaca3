/** The one observer of the app's state: whoever shows a part of it hears of it here. */
import type { AppHost } from '../../engine/session/contract.ts';
import type { AppState, StateChange } from '../../protocol/face.ts';

/** Told of every change in the order given; `before` is the state that `after` came from. */
export type Face = (after: AppState, before: AppState, change: StateChange) => void;

/** The result ends it. */
export function observe(host: AppHost, faces: readonly Face[]): () => void {
  let state = host.state();
  return host.subscribe((change) => {
    const before = state;
    state = { ...before, ...change };
    for (const face of faces) face(state, before, change);
  });
}
