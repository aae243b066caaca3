import { type ReactNode, useState } from 'react';
import { useText } from '../../i18n/text.tsx';
import { useApp } from '../../store/hooks.ts';

export type Part = 'members' | 'chat';

/** Which half of the room a small window shows, and what was said meanwhile in the other. */
export function Parts({ part, onChange }: { part: Part; onChange(part: Part): void }): ReactNode {
  const t = useText();
  const unread = useUnread(part === 'chat');
  return (
    <div
      role="group"
      aria-label={t('room.views')}
      className="flex gap-1 border-b border-line bg-surface px-3 sm:px-5 xl:hidden"
    >
      {(['members', 'chat'] as const).map((which) => (
        <button
          key={which}
          type="button"
          aria-pressed={which === part}
          onClick={() => onChange(which)}
          className="settle flex items-center gap-1.5 border-b-2 border-transparent px-2 py-2 text-[13.5px] text-soft -outline-offset-2 hover:text-text aria-pressed:border-accent aria-pressed:font-semibold aria-pressed:text-text"
        >
          {t(`room.${which}Tab`)}
          {which === 'chat' && unread > 0 && <Unread count={unread} />}
        </button>
      ))}
    </div>
  );
}

const MOST_SHOWN = 99;

function Unread({ count }: { count: number }): ReactNode {
  const t = useText();
  return (
    <span className="inline-flex h-4.5 min-w-4.5 items-center justify-center rounded-full bg-accent px-1 text-[11px] font-semibold text-on-accent">
      <span aria-hidden>{count > MOST_SHOWN ? `${MOST_SHOWN}+` : count}</span>
      <span className="sr-only">{t('chat.unread', { count })}</span>
    </span>
  );
}

/** From here on the chat stands beside the friends (Tailwind's xl). */
const BESIDE = '(width >= 80rem)';

/** Messages of others since the chat was last in view. */
function useUnread(shown: boolean): number {
  const messages = useApp(({ snapshot }) => snapshot.chat);
  const own = useApp(({ snapshot }) => snapshot.self?.publicKey ?? '');
  const newest = messages.at(-1)?.id ?? null;
  const [read, setRead] = useState(newest);
  const inView = shown || window.matchMedia(BESIDE).matches;
  if (inView && read !== newest) setRead(newest);
  if (inView) return 0;
  const next = messages.findIndex(({ id }) => id === read) + 1;
  return messages.slice(next).filter(({ from }) => from !== own).length;
}
