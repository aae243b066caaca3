/**
 * What the window holds: the app's state as it was last told, what it said before (sparklines), and what only this
 * window knows (the section in view, the form as typed). The store speaks to the app; components select and command.
 */
import { createStore, type StoreApi } from 'zustand/vanilla';
import type { AppClient, AppCommand, AppState, CommandAnswer, ServerChoice, StateChange } from '../../protocol/face.ts';
import { type Announcement, announcements } from './announce.ts';
import { addSamples, type Samples } from './samples.ts';
import { share } from './share.ts';

export type Section = 'main' | 'network' | 'settings';

/** The form of the first screen; it outlives a failed try. */
export interface Draft {
  nick: string;
  room: string;
  password: string;
  server: ServerChoice['kind'];
  address: string;
}

export interface Toast {
  id: number;
  /** What could not be done: a closed error code, whatever the app sends. */
  code: string;
}

export interface FaceState {
  link: 'first' | 'up' | 'lost' | 'refused';
  app: AppState | null;
  samples: ReadonlyMap<string, Samples>;
  section: Section;
  /** Null until it is typed in; then it no longer follows the preferences. */
  draft: Draft | null;
  /** Key of the member whose details are open. */
  openMember: string | null;
  /** Notices that the person closed, by `noticeId`. */
  closedNotices: ReadonlySet<string>;
  announcement: { id: number; said: readonly Announcement[] };
  toasts: readonly Toast[];
  inviting: boolean;
}

export interface FaceActions {
  command(command: AppCommand): Promise<CommandAnswer>;
  /** As `command`; a refusal is shown to the person. */
  ask(command: AppCommand): Promise<CommandAnswer>;
  show(section: Section): void;
  edit(change: Partial<Draft>): void;
  openMember(key: string | null): void;
  closeNotice(id: string): void;
  closeToast(id: number): void;
  setInviting(on: boolean): void;
  /** Offers files to a member; null where this window does not know where a file lies. */
  sendFiles: ((peer: string, files: readonly File[]) => void) | null;
}

export interface Face {
  state: StoreApi<FaceState>;
  actions: FaceActions;
  /** Ends the subscriptions; idempotent. */
  close(): void;
}

/** A client that can be refused for good: the browser's. */
export type RefusableClient = AppClient & { onRefused?(listener: (refused: boolean) => void): () => void };

const TOASTS_KEPT = 3;

export function createFace(client: RefusableClient, now: () => number = Date.now): Face {
  const state = createStore<FaceState>(() => ({
    link: 'first',
    app: null,
    samples: new Map(),
    section: 'main',
    draft: null,
    openMember: null,
    closedNotices: new Set(),
    announcement: { id: 0, said: [] },
    toasts: [],
    inviting: false,
  }));
  const endings = [
    client.subscribe((change) => state.setState((before) => receive(before, change, now()))),
    client.onLink((up) =>
      state.setState((before) => ({ link: up ? 'up' : before.link === 'first' ? 'first' : 'lost' })),
    ),
    client.onRefused?.((refused) => {
      if (refused) state.setState({ link: 'refused' });
    }),
  ];
  return { state, actions: createActions(client, state), close: () => endings.forEach((end) => end?.()) };
}

/** The state after the app told what changed. */
export function receive(before: FaceState, change: StateChange, now: number): Partial<FaceState> {
  const app = share(before.app, { ...before.app, ...change }) as AppState;
  if (app === before.app && change.snapshot === undefined) return {};
  const said = before.app === null ? [] : announcements(before.app.snapshot, app.snapshot);
  return {
    app,
    ...(change.snapshot === undefined ? {} : { samples: addSamples(before.samples, app.snapshot.peers, now) }),
    ...(said.length === 0 ? {} : { announcement: { id: before.announcement.id + 1, said } }),
    ...(app.snapshot.state === 'off' ? { openMember: null, inviting: false } : {}),
  };
}

/** The form as it stands, filled from what is remembered until someone types. */
export function draftOf({ draft, app }: Pick<FaceState, 'draft' | 'app'>): Draft {
  if (draft !== null) return draft;
  const failed = app?.connection.state === 'failed' ? app.connection.room : '';
  const automatic = (app?.about.servers.length ?? 0) > 0;
  return {
    nick: app?.preferences.nick ?? '',
    room: failed,
    password: '',
    server: automatic ? 'automatic' : 'host',
    address: '',
  };
}

export const noticeId = (notice: { code: string; nick?: string; at: number }): string =>
  `${notice.code} ${notice.at} ${notice.nick ?? ''}`;

function createActions(client: AppClient, state: StoreApi<FaceState>): FaceActions {
  let nextToast = 0;
  const command = (asked: AppCommand) => client.command(asked);
  const ask = async (asked: AppCommand) => {
    const answer = await command(asked);
    if (!answer.ok) {
      const toast = { id: nextToast++, code: answer.code };
      state.setState(({ toasts }) => ({ toasts: [...toasts, toast].slice(-TOASTS_KEPT) }));
    }
    return answer;
  };
  const { pathOf } = client;
  return {
    command,
    ask,
    sendFiles:
      pathOf === undefined
        ? null
        : (peer, files) => {
            for (const file of files) void ask({ type: 'send-file', peer, path: pathOf(file) });
          },
    show: (section) => state.setState({ section }),
    edit: (change) => state.setState((before) => ({ draft: { ...draftOf(before), ...change } })),
    openMember: (key) => state.setState({ openMember: key }),
    closeNotice: (id) => state.setState(({ closedNotices }) => ({ closedNotices: new Set([...closedNotices, id]) })),
    closeToast: (id) => state.setState(({ toasts }) => ({ toasts: toasts.filter((toast) => toast.id !== id) })),
    setInviting: (inviting) => state.setState({ inviting }),
  };
}
