import type { ReactNode } from 'react';
import { type Text, useText } from '../../i18n/text.tsx';
import type { Announcement } from '../../store/announce.ts';
import { useFace } from '../../store/hooks.ts';
import { isolated } from '../../store/plain.ts';

/** Tells a screen reader what changed, politely. */
export function Announcer(): ReactNode {
  const t = useText();
  const { id, said } = useFace((state) => state.announcement);
  return (
    <div role="status" aria-live="polite" className="sr-only">
      <p key={id}>{said.map((announcement) => sentence(t, announcement)).join('. ')}</p>
    </div>
  );
}

function sentence(t: Text, announcement: Announcement): string {
  const nick = 'nick' in announcement ? isolated(announcement.nick) : '';
  return t(`announce.${announcement.kind}`, { nick });
}
