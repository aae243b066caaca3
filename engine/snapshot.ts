import type { ChatMessage, DeviceCounters, PeerSnapshot, RelayReason, Snapshot } from '../protocol/app.ts';
import type { DiscoveryView } from '../protocol/discovery.ts';
import type { FileTransfer } from '../protocol/files.ts';
import type { NatReport } from '../protocol/nat.ts';
import type { RoomMemberView, RoomView } from './core/room/contract.ts';
import type { Filters } from './filter/filters.ts';
import type { LongShots } from './long-shots.ts';
import type { Member } from './member.ts';
import { namesOf } from './names/labels.ts';
import type { ClockPort, NamesView } from './ports.ts';
import type { Punches } from './punches.ts';

/** Newest notices that a snapshot carries. */
const NOTICES_KEPT = 20;
/** That there is no direct path, and not why none is found. */
const UNEXPLAINED: ReadonlySet<RelayReason> = new Set<RelayReason>(['hard-nat-pair', 'no-answer', 'path-lost']);
export type Notice = Snapshot['notices'][number];

export function addNotice(notices: readonly Notice[], notice: Notice): Notice[] {
  return [...notices, notice].slice(-NOTICES_KEPT);
}

export interface SnapshotInputs {
  name: string;
  room: RoomView;
  nat: NatReport;
  interfaceName: string | null;
  members: ReadonlyMap<string, Member>;
  punches: Pick<Punches, 'view' | 'reason'>;
  longShots: Pick<LongShots, 'view'>;
  notices: readonly Notice[];
  settings: Snapshot['settings'];
  chat: readonly ChatMessage[];
  discovery: DiscoveryView;
  filters: Filters;
  names: NamesView | null;
  files: FileTransfer[] | undefined;
  device: DeviceCounters;
}

/** Builds the published snapshot; times become Unix milliseconds here and nowhere else. */
export function buildSnapshot(clock: ClockPort, inputs: SnapshotInputs): Snapshot {
  const { room } = inputs;
  const unix = (at: number) => Math.round(clock.epoch() - (clock.now() - at));
  const names = new Map(namesOf(room).map(({ key, name }) => [key, name]));
  const peers = room.members
    .filter((view) => view.introduced || view.blocked)
    .map((view) => peerSnapshot(view, inputs, clock, unix, names.get(view.key)));
  return {
    version: 1,
    state: room.state,
    room: { name: inputs.name, server: room.server },
    self: {
      nick: room.nick,
      publicKey: room.publicKey,
      ipv4: room.ipv4,
      ipv6: room.ipv6,
      interface: inputs.interfaceName,
      nat: inputs.nat,
    },
    peers,
    notices: [...inputs.notices],
    settings: inputs.settings,
    chat: [...inputs.chat],
    discovery: inputs.discovery,
    filter: inputs.filters.view(),
    ...(inputs.files && { files: inputs.files }),
    ...(inputs.names && { names: { ...inputs.names, own: names.get(room.publicKey) ?? '' } }),
    device: countersOf(inputs.device),
  };
}

/** The device tells more than that, of each peer. */
function countersOf({
  eventsDropped,
  datagramsRejected,
  txDropped,
  routeMisses,
  queue,
}: DeviceCounters): DeviceCounters {
  return { eventsDropped, datagramsRejected, txDropped, routeMisses, queue };
}

function peerSnapshot(
  view: RoomMemberView,
  { members, punches, longShots, filters }: SnapshotInputs,
  clock: ClockPort,
  unix: (at: number) => number,
  name: string | undefined,
): PeerSnapshot {
  const member = members.get(view.key);
  const state = member?.core.view(clock.now());
  const longShot = longShots.view(view.key);
  // Why a punch does not happen says more than that the checks find nothing.
  const why = state?.reason != null && UNEXPLAINED.has(state.reason) ? punches.reason(view.key) : null;
  return {
    nick: view.nick,
    publicKey: view.key,
    ipv4: view.ipv4,
    ipv6: view.ipv6,
    blocked: view.blocked,
    // A path that answers is not yet a tunnel: success is a completed handshake.
    state: member && member.lastHandshakeAt === null ? 'connecting' : (state?.state ?? 'lost'),
    path: state?.path ? { ...state.path, since: unix(state.path.since) } : null,
    reason: why ?? state?.reason ?? null,
    punch: state?.direct ? null : (punches.view(view.key) ?? state?.punch ?? null),
    nat: state?.nat ?? null,
    rxBytes: member?.rxBytes ?? 0,
    txBytes: member?.txBytes ?? 0,
    lastHandshake: member?.lastHandshakeAt == null ? null : unix(member.lastHandshakeAt),
    timeline: [...(member?.timeline ?? [])],
    ...(name === undefined ? {} : { name }),
    ...(member && { broadcasts: member.broadcasts }),
    ...(view.blocked ? {} : { access: filters.access(view, member?.filtered ?? 0) }),
    ...(view.blocked || longShot === null ? {} : { longShot }),
  };
}
