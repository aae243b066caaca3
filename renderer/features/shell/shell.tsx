import type { ReactNode } from 'react';
import { useText } from '../../i18n/text.tsx';
import { useApp, useFace } from '../../store/hooks.ts';
import { Banner } from '../../ui/banner.tsx';
import { First } from '../first/first.tsx';
import { Joining } from '../first/joining.tsx';
import { InvitationDialog } from '../invite/invitation.tsx';
import { InviteDialog } from '../invite/invite.tsx';
import { Network } from '../network/network.tsx';
import { Room } from '../room/room.tsx';
import { Settings } from '../settings/settings.tsx';
import { Announcer } from './announcer.tsx';
import { Navigation } from './navigation.tsx';
import { Toasts } from './toasts.tsx';
import { useAppearance } from './appearance.ts';

/** The frame of every screen: sections at the side (at the foot in a small window), what is wrong on top, the rest. */
export function Shell(): ReactNode {
  const told = useFace(({ app }) => app !== null);
  useAppearance();
  return (
    <div className="flex h-full flex-col-reverse sm:flex-row">
      {told && <Navigation />}
      <div className="relative flex min-h-0 min-w-0 flex-1 flex-col">
        <LinkTrouble />
        <main className="flex min-h-0 flex-1 flex-col">{told ? <Section /> : <Waiting />}</main>
        <Toasts />
      </div>
      {told && <InvitationDialog />}
      {told && <InviteDialog />}
      <Announcer />
    </div>
  );
}

function Section(): ReactNode {
  const section = useFace((state) => state.section);
  if (section === 'network') return <Network />;
  if (section === 'settings') return <Settings />;
  return <Main />;
}

function Main(): ReactNode {
  const screen = useApp(({ connection, snapshot }) => {
    if (connection.state === 'idle' || connection.state === 'failed') return 'first';
    return snapshot.state === 'joined' || snapshot.state === 'reconnecting' ? 'room' : 'joining';
  });
  if (screen === 'first') return <First />;
  return screen === 'room' ? <Room /> : <Joining />;
}

function Waiting(): ReactNode {
  const t = useText();
  const refused = useFace(({ link }) => link === 'refused');
  return (
    <div className="m-auto flex flex-col items-center gap-4 p-6 text-soft">
      <span aria-hidden className="mark size-20" />
      {!refused && <p role="status">{t('app.waiting')}</p>}
    </div>
  );
}

function LinkTrouble(): ReactNode {
  const t = useText();
  const link = useFace((state) => state.link);
  if (link !== 'lost' && link !== 'refused') return null;
  return (
    <div className="px-4 pt-3">
      <Banner kind="danger" title={t(`link.${link}`)} urgent>
        {t(`link.${link}Help`)}
      </Banner>
    </div>
  );
}
