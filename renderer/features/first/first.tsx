import type { ReactNode } from 'react';
import type { SavedRoom } from '../../../protocol/face.ts';
import { useText } from '../../i18n/text.tsx';
import { useActions, useApp } from '../../store/hooks.ts';
import { Banner } from '../../ui/banner.tsx';
import { Failure, failureKey } from './failure.tsx';
import { HowItWorks, PasteInvite } from './invited.tsx';
import { JoinForm } from './join-form.tsx';
import { RecentRooms } from './recent.tsx';

/** Where everyone begins: the form, the rooms of before, and an invite to paste. */
export function First(): ReactNode {
  const t = useText();
  const { ask } = useActions();
  const rooms = useApp((app) => app.rooms);
  const enter = ({ name, nick, server }: SavedRoom) =>
    void ask({ type: 'join', room: name, password: null, nick, server, create: false });
  return (
    <div className="min-h-0 flex-1 overflow-y-auto">
      <div className="mx-auto flex min-h-full w-full max-w-5xl flex-col justify-center gap-5 px-4 py-6 sm:px-8 lg:py-10">
        <header className="flex items-center gap-4">
          <span aria-hidden className="mark size-14 shrink-0 sm:size-16" />
          <div>
            <h1 className="text-2xl font-semibold tracking-tight sm:text-[28px]">{t('first.title')}</h1>
            <p className="text-soft">{t('app.tagline')}</p>
          </div>
        </header>
        <Failure onRetry={enter} />
        <HostingFailure />
        <div className="grid items-start gap-5 lg:grid-cols-[minmax(0,27rem)_minmax(0,1fr)] lg:grid-rows-[auto_1fr] lg:gap-x-8">
          {rooms.length > 0 && <RecentRooms rooms={rooms} onEnter={enter} />}
          <div className="min-w-0 lg:col-start-1 lg:row-span-2 lg:row-start-1">
            <JoinForm />
          </div>
          <div className="flex min-w-0 flex-col gap-5">
            <PasteInvite />
            {rooms.length === 0 && <HowItWorks />}
          </div>
        </div>
      </div>
    </div>
  );
}

function HostingFailure(): ReactNode {
  const t = useText();
  const hosting = useApp((app) => app.hosting);
  const failed = useApp((app) => app.connection.state === 'failed');
  if (hosting.state !== 'failed' || failed) return null;
  return (
    <Banner kind="danger" title={t('hosting.failed')}>
      {t(`failure.${failureKey(hosting.code)}.help`)}
    </Banner>
  );
}
