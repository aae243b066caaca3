/** Names of Electron's IPC channels; apart from the schemas, so that the preload script carries no parser. */
export const IPC_CHANNELS = {
  /** Window to app, answered: an `AppCommand`, answered by a `CommandAnswer`. */
  command: 'warren:command',
  /** App to window: a `StateChange`, the whole state first. */
  state: 'warren:state',
  /** Window to app: begins (or begins again) the `state` messages. */
  subscribe: 'warren:subscribe',
} as const;
