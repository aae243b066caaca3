import type { ReactNode } from 'react';
import { useText } from '../../i18n/text.tsx';
import { useActions, useApp } from '../../store/hooks.ts';
import { isolated } from '../../store/plain.ts';
import { Button } from '../../ui/button.tsx';
import { HostingCard } from '../room/hosting.tsx';

/** Between the press of Join and the room. */
export function Joining(): ReactNode {
  const t = useText();
  const { ask } = useActions();
  const connection = useApp((app) => app.connection);
  const room = 'room' in connection ? connection.room : '';
  const stopping = connection.state === 'stopping';
  return (
    <section className="m-auto flex w-full max-w-md flex-col items-center gap-5 p-6 text-center">
      <span aria-hidden className="mark size-20" />
      <div role="status">
        <h1 className="text-xl font-semibold wrap-break-word">
          {stopping ? t('state.stopping') : t('joining.title', { room: isolated(room) })}
        </h1>
        {!stopping && <p className="mt-1.5 text-soft">{t('joining.help')}</p>}
      </div>
      <HostingCard />
      {!stopping && <Button onClick={() => void ask({ type: 'leave' })}>{t('common.cancel')}</Button>}
    </section>
  );
}
