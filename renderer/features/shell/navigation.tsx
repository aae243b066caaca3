import { type LucideIcon, Gamepad2, Radar, SlidersHorizontal } from 'lucide-react';
import type { ReactNode } from 'react';
import { useText } from '../../i18n/text.tsx';
import { useActions, useApp, useFace } from '../../store/hooks.ts';
import { plainLine } from '../../store/plain.ts';
import type { Section } from '../../store/store.ts';

const SECTIONS: readonly { section: Section; icon: LucideIcon }[] = [
  { section: 'main', icon: Gamepad2 },
  { section: 'network', icon: Radar },
  { section: 'settings', icon: SlidersHorizontal },
];

/** At the side; at the foot of a small window. */
export function Navigation(): ReactNode {
  const t = useText();
  const shown = useFace((state) => state.section);
  const { show } = useActions();
  return (
    <header className="flex shrink-0 flex-col border-line bg-surface max-sm:border-t sm:w-18 sm:border-e lg:w-56">
      <div className="flex items-center gap-3 px-4 pt-4 pb-5 max-lg:justify-center max-sm:hidden">
        <span aria-hidden className="mark size-9" />
        <span className="text-[17px] font-semibold tracking-tight max-lg:hidden">{t('app.name')}</span>
      </div>
      <nav aria-label={t('nav.label')} className="sm:flex-1">
        <ul className="flex gap-1 p-1.5 sm:flex-col sm:px-2.5 sm:py-0">
          {SECTIONS.map(({ section, icon: Icon }) => (
            <li key={section} className="flex-1">
              <button
                type="button"
                aria-current={section === shown ? 'page' : undefined}
                onClick={() => show(section)}
                className="settle flex w-full items-center gap-3 rounded-lg px-2 py-2 text-soft hover:bg-hover hover:text-text aria-[current=page]:bg-sunken aria-[current=page]:font-semibold aria-[current=page]:text-text max-lg:flex-col max-lg:gap-0.5 max-lg:text-center max-lg:text-[11px] max-lg:leading-tight max-sm:py-1.5"
              >
                <Icon aria-hidden className="size-4.5 shrink-0" />
                <span>{t(`nav.${section}`)}</span>
              </button>
            </li>
          ))}
        </ul>
      </nav>
      <Connection />
    </header>
  );
}

const DOTS = {
  off: 'bg-line-strong',
  joining: 'bg-relayed',
  joined: 'bg-direct',
  reconnecting: 'bg-relayed',
  stopping: 'bg-relayed',
};

/** What the one connection does, in a word. */
function Connection(): ReactNode {
  const t = useText();
  const lost = useFace(({ link }) => link === 'lost');
  const state = useApp(({ connection, snapshot }) => {
    if (connection.state === 'stopping') return 'stopping';
    if (connection.state === 'starting') return 'joining';
    return connection.state === 'running' ? snapshot.state : 'off';
  });
  const room = useApp(({ connection }) =>
    'room' in connection && connection.state !== 'failed' ? connection.room : null,
  );
  return (
    <p className="flex items-center gap-2.5 border-t border-line px-4 py-3 text-[13px] max-lg:justify-center max-lg:px-2 max-sm:hidden">
      <span aria-hidden className={`settle size-2.5 shrink-0 rounded-full ${DOTS[lost ? 'off' : state]}`} />
      <span className="min-w-0 max-lg:sr-only">
        <span className="block font-medium">{lost ? t('state.unknown') : t(`state.${state}`)}</span>
        {room !== null && <bdi className="block truncate text-soft">{plainLine(room)}</bdi>}
      </span>
    </p>
  );
}
