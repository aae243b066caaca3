import { X } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import type { Snapshot } from '../../../protocol/app.ts';
import { type Text, useText } from '../../i18n/text.tsx';
import { useActions, useApp, useFace } from '../../store/hooks.ts';
import { isolated } from '../../store/plain.ts';
import { noticeId } from '../../store/store.ts';
import { Banner } from '../../ui/banner.tsx';
import { Button, IconButton } from '../../ui/button.tsx';

type Notice = Snapshot['notices'][number];

const SHOWN = 2;
const KINDS: Record<string, 'danger' | 'warning'> = {
  'wrong-password': 'danger',
  'known-nick-new-key': 'danger',
  disk: 'danger',
  'failed-guess': 'warning',
  'address-conflict': 'warning',
  'server-unreachable': 'warning',
  flood: 'warning',
};

/** What the engine wants known, newest first; each can be put away. */
export function Notices(): ReactNode {
  const t = useText();
  const { closeNotice } = useActions();
  const notices = useApp((app) => app.snapshot.notices);
  const closed = useFace((state) => state.closedNotices);
  const [all, setAll] = useState(false);
  // Said on top already.
  const reconnecting = useApp((app) => app.snapshot.state === 'reconnecting');
  const open = latest(notices).filter(
    (notice) => !closed.has(noticeId(notice)) && !(reconnecting && notice.code === 'server-unreachable'),
  );
  if (open.length === 0) return null;
  const shown = all ? open : open.slice(0, SHOWN);
  return (
    <section aria-label={t('notice.label')} className="flex flex-col gap-2">
      {shown.map((notice) => (
        <Banner
          key={noticeId(notice)}
          kind={KINDS[notice.code] ?? 'info'}
          actions={
            <IconButton
              icon={X}
              label={t('common.dismiss')}
              onClick={() => closeNotice(noticeId(notice))}
              small
              className="-my-1"
            />
          }
        >
          {words(t, notice)}
        </Banner>
      ))}
      {shown.length < open.length && (
        <Button size="small" kind="quiet" className="self-start" onClick={() => setAll(true)}>
          {t('notice.more', { count: open.length - shown.length })}
        </Button>
      )}
    </section>
  );
}

/** Newest first, each thing said once. A server that is back takes its trouble away. */
function latest(notices: readonly Notice[]): Notice[] {
  const seen = new Set<string>();
  return notices.toReversed().filter(({ code, nick }) => {
    const topic = code.startsWith('server-') ? 'server' : `${code} ${nick ?? ''}`;
    if (seen.has(topic)) return false;
    seen.add(topic);
    return true;
  });
}

function words(t: Text, { code, nick }: Notice): string {
  const who = nick === undefined ? t('notice.someone') : isolated(nick);
  switch (code) {
    case 'known-nick-new-key':
      return nick === undefined ? t('notice.known-nick-new-key-anyone') : t('notice.known-nick-new-key', { nick: who });
    case 'nick-taken':
    case 'address-moved':
    case 'flood':
      return t(`notice.${code}`, { nick: who });
    case 'wrong-password':
    case 'failed-guess':
    case 'address-conflict':
    case 'server-unreachable':
    case 'server-back':
    case 'disk':
      return t(`notice.${code}`);
    default:
      return t('notice.other');
  }
}
