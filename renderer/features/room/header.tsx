import { LogOut, PictureInPicture2, UserPlus } from 'lucide-react';
import type { ReactNode } from 'react';
import { useText } from '../../i18n/text.tsx';
import { useActions, useApp } from '../../store/hooks.ts';
import { plainLine } from '../../store/plain.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { CopyValue } from '../../ui/copy.tsx';
import { Nick } from '../../ui/nick.tsx';

/** The room's name, the own address, and the way out. */
export function RoomHeader(): ReactNode {
  const t = useText();
  const { ask, setInviting } = useActions();
  const name = useApp(
    ({ snapshot, connection }) => snapshot.room?.name ?? ('room' in connection ? connection.room : ''),
  );
  const server = useApp(({ snapshot }) => snapshot.room?.server ?? '');
  const ipv4 = useApp(({ snapshot }) => snapshot.self?.ipv4 ?? null);
  const nick = useApp(({ snapshot }) => snapshot.self?.nick ?? '');
  const stopping = useApp(({ connection }) => connection.state === 'stopping');
  const windowed = useApp(({ about }) => about.shell === 'electron');
  return (
    <header className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b border-line bg-surface px-4 py-3 sm:px-6">
      <div className="min-w-0 flex-1 basis-24">
        <h1
          className="flex text-lg leading-tight font-semibold tracking-tight"
          title={t('room.server', { server: plainLine(server, 256) })}
        >
          <Nick>{name}</Nick>
        </h1>
        <p className="flex items-center gap-1.5 text-[13px] text-soft">
          <Nick className="max-w-40">{nick}</Nick>
          <span aria-hidden>·</span>
          <span className="sr-only">{t('room.ownAddress')}</span>
          {ipv4 === null ? t('room.noAddress') : <CopyValue value={ipv4} className="-ms-0.5" />}
        </p>
      </div>
      <div className="flex items-center gap-1.5">
        {windowed && <WindowSize />}
        <Button
          icon={LogOut}
          kind="quiet"
          disabled={stopping}
          title={t('room.leave')}
          className="max-sm:px-2.5"
          onClick={() => void ask({ type: 'leave' })}
        >
          <span className="max-sm:sr-only">{stopping ? t('state.stopping') : t('room.leave')}</span>
        </Button>
        <Button icon={UserPlus} kind="primary" disabled={stopping} onClick={() => setInviting(true)}>
          {t('room.invite')}
        </Button>
      </div>
    </header>
  );
}

/** One button each way; the width of the window says which is useful. */
function WindowSize(): ReactNode {
  const t = useText();
  const { ask } = useActions();
  return (
    <>
      <IconButton
        icon={PictureInPicture2}
        label={t('room.mini')}
        className="max-sm:hidden"
        onClick={() => void ask({ type: 'window', mode: 'mini' })}
      />
      <IconButton
        icon={PictureInPicture2}
        label={t('room.full')}
        className="sm:hidden"
        onClick={() => void ask({ type: 'window', mode: 'full' })}
      />
    </>
  );
}
