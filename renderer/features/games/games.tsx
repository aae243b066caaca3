import type { ReactNode } from 'react';
import type { SeenGame } from '../../../protocol/discovery.ts';
import { useText } from '../../i18n/text.tsx';
import { useApp } from '../../store/hooks.ts';
import { isolated, plainLine } from '../../store/plain.ts';
import { CopyValue } from '../../ui/copy.tsx';
import { Card } from '../../ui/page.tsx';

/** Who hosts what, by what their games say to everybody; nothing while no game speaks. */
export function Games(): ReactNode {
  const t = useText();
  const games = useApp(({ snapshot }) => snapshot.discovery.games);
  if (games.length === 0) return null;
  return (
    <Card title={t('games.title')} lead={t('games.lead')}>
      <ul className="divide-y divide-line">
        {games.map((game) => (
          <Row key={`${game.member} ${game.name}`} game={game} />
        ))}
      </ul>
    </Card>
  );
}

function Row({ game }: { game: SeenGame }): ReactNode {
  const t = useText();
  const nick = useApp(({ snapshot }) => snapshot.peers.find(({ publicKey }) => publicKey === game.member)?.nick);
  const who = nick === undefined ? t('games.you') : isolated(nick);
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-1 py-2">
      <span className="min-w-0 flex-1">
        <span className="font-medium">{plainLine(game.name)}</span>
        {game.title !== null && <span className="text-soft"> · {plainLine(game.title)}</span>}
        <span className="block text-[13px] text-soft">{t(`games.${game.role}`, { nick: who })}</span>
      </span>
      {game.address !== null && <CopyValue value={game.address} />}
    </li>
  );
}
