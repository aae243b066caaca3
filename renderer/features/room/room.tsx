import { type ReactNode, useState } from 'react';
import { useText } from '../../i18n/text.tsx';
import { useApp } from '../../store/hooks.ts';
import { Banner } from '../../ui/banner.tsx';
import { Files } from '../files/files.tsx';
import { Games } from '../games/games.tsx';
import { Chat } from './chat.tsx';
import { EmptyRoom } from './empty.tsx';
import { RoomHeader } from './header.tsx';
import { HostingCard } from './hosting.tsx';
import { LongShotRequests } from './long-shot.tsx';
import { Members } from './members.tsx';
import { Notices } from './notices.tsx';
import { type Part, Parts } from './parts.tsx';
import { ConnectionToggles } from './toggles.tsx';

/** Friends on the left, chat on the right; in a small window one of them at a time. */
export function Room(): ReactNode {
  const empty = useApp(({ snapshot }) => snapshot.peers.length === 0);
  const [part, setPart] = useState<Part>('members');
  return (
    <>
      <RoomHeader />
      <Parts part={part} onChange={setPart} />
      <div className="flex min-h-0 flex-1">
        <div className={`flex min-w-0 flex-1 flex-col ${part === 'members' ? '' : 'max-xl:hidden'}`}>
          <div className="min-h-0 flex-1 overflow-y-auto">
            <div className="mx-auto flex max-w-5xl flex-col gap-3 px-3 py-3 sm:px-6 sm:py-5">
              <RoomTroubles />
              <LongShotRequests />
              <Notices />
              <Files />
              {empty ? <EmptyRoom /> : <Members />}
              <Games />
            </div>
          </div>
          <Toggles />
        </div>
        <Chat className={part === 'chat' ? 'max-xl:flex-1' : 'max-xl:hidden'} />
      </div>
    </>
  );
}

/** What is wrong with the room as a whole, and what to do. */
function RoomTroubles(): ReactNode {
  const t = useText();
  const reconnecting = useApp(({ snapshot }) => snapshot.state === 'reconnecting');
  const relayOnly = useApp(({ snapshot }) => snapshot.settings.relayOnly);
  const udpBlocked = useApp(({ snapshot }) => snapshot.self?.nat.type === 'udp-blocked');
  const noInterface = useApp(({ snapshot }) => snapshot.self?.interface === null);
  const attached = useApp(({ connection }) => connection.state === 'running' && connection.attached);
  return (
    <>
      {reconnecting && (
        <Banner kind="warning" title={t('state.reconnecting')}>
          {t('room.reconnecting')}
        </Banner>
      )}
      {udpBlocked && <Banner kind="warning">{t('room.udpBlocked')}</Banner>}
      {relayOnly && <Banner kind="info">{t('room.relayOnly')}</Banner>}
      {noInterface && <Banner kind="warning">{t('room.noInterface')}</Banner>}
      {attached && <Banner kind="info">{t('room.attached')}</Banner>}
      <HostingCard />
    </>
  );
}

function Toggles(): ReactNode {
  const t = useText();
  return (
    <section
      aria-label={t('room.toggles')}
      className="flex flex-wrap gap-x-6 border-t border-line bg-surface px-4 sm:px-6 *:max-sm:flex-1"
    >
      <ConnectionToggles compact />
    </section>
  );
}
