import { ArrowRight, X } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import type { SavedRoom } from '../../../protocol/face.ts';
import { useFormat, useText } from '../../i18n/text.tsx';
import { useActions } from '../../store/hooks.ts';
import { isolated, plainLine } from '../../store/plain.ts';
import { IconButton } from '../../ui/button.tsx';
import { Confirm } from '../../ui/confirm.tsx';
import { Nick } from '../../ui/nick.tsx';

interface RecentRoomsProps {
  rooms: readonly SavedRoom[];
  onEnter(room: SavedRoom): void;
}

export function RecentRooms({ rooms, onEnter }: RecentRoomsProps): ReactNode {
  const t = useText();
  const { ask } = useActions();
  const [forgetting, setForgetting] = useState<string | null>(null);
  return (
    <section aria-labelledby="recent" className="min-w-0">
      <h2 id="recent" className="mb-2 font-semibold">
        {t('first.recent')}
      </h2>
      <ul className="divide-y divide-line overflow-hidden rounded-2xl border border-line bg-surface shadow-card">
        {rooms.map((room) => (
          <RecentRoom key={room.name} room={room} onEnter={onEnter} onForget={() => setForgetting(room.name)} />
        ))}
      </ul>
      {forgetting !== null && (
        <Confirm
          title={t('first.forgetTitle', { room: isolated(forgetting) })}
          action={t('first.forgetYes')}
          kind="danger"
          onConfirm={() => {
            setForgetting(null);
            void ask({ type: 'forget', room: forgetting });
          }}
          onClose={() => setForgetting(null)}
        >
          <p>{t('first.forgetHelp')}</p>
        </Confirm>
      )}
    </section>
  );
}

interface RecentRoomProps {
  room: SavedRoom;
  onEnter(room: SavedRoom): void;
  onForget(): void;
}

function RecentRoom({ room, onEnter, onForget }: RecentRoomProps): ReactNode {
  const t = useText();
  const format = useFormat();
  const when = format.relativeTime(room.lastUsed, Date.now());
  return (
    <li className="flex items-center pe-2">
      <button
        type="button"
        title={t('first.rejoin', { room: plainLine(room.name) })}
        onClick={() => onEnter(room)}
        className="settle group flex min-w-0 flex-1 items-center gap-3 px-4 py-3 text-start -outline-offset-2 hover:bg-hover"
      >
        <span className="min-w-0 flex-1">
          <Nick className="block font-semibold">{room.name}</Nick>
          <span className="block truncate text-[13px] text-soft">
            {t('first.recentAs', { nick: isolated(room.nick), when })}
          </span>
        </span>
        <ArrowRight aria-hidden className="settle size-4.5 shrink-0 text-soft group-hover:text-accent rtl:rotate-180" />
      </button>
      <IconButton icon={X} label={t('first.forget', { room: plainLine(room.name) })} onClick={onForget} />
    </li>
  );
}
