import { Radar } from 'lucide-react';
import { Fragment, type ReactNode, useState } from 'react';
import { type DiscoveryCheck, discoveryCheck } from '../../../protocol/discovery.ts';
import { useFormat, useText } from '../../i18n/text.tsx';
import { useActions, useApp } from '../../store/hooks.ts';
import { plainLine } from '../../store/plain.ts';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/page.tsx';

/** Asks every friend, in the way that games do, and shows who heard it. */
export function DiscoveryCard(): ReactNode {
  const t = useText();
  const { ask } = useActions();
  const [checking, setChecking] = useState(false);
  const [found, setFound] = useState<DiscoveryCheck | null>(null);
  const check = async () => {
    setChecking(true);
    const answer = await ask({ type: 'discovery-check' });
    const result = answer.ok ? discoveryCheck.safeParse(answer.result) : null;
    setFound(result?.success ? result.data : null);
    setChecking(false);
  };
  return (
    <Card title={t('games.check')} lead={t('games.checkLead')}>
      <Button icon={Radar} disabled={checking} onClick={() => void check()}>
        {checking ? t('games.checking') : t('games.checkNow')}
      </Button>
      <div role="status" className="mt-2 text-[13px] empty:hidden">
        {found?.members.length === 0 && <p>{t('games.nobody')}</p>}
        {found !== null && found.members.length > 0 && (
          <ul>
            {found.members.map((member) => (
              <Heard key={`${member.nick} ${member.ipv4}`} member={member} />
            ))}
          </ul>
        )}
      </div>
      <Counts />
    </Card>
  );
}

function Heard({ member }: { member: DiscoveryCheck['members'][number] }): ReactNode {
  const t = useText();
  const { nick, broadcastMs, multicastMs } = member;
  const ms = Math.round(broadcastMs ?? 0);
  const well = broadcastMs !== null && multicastMs !== null;
  return (
    <li className="flex flex-wrap justify-between gap-x-3 py-1">
      <span className="max-w-full truncate">{plainLine(nick)}</span>
      <span className={`ms-auto text-end ${well ? 'text-soft' : 'text-danger'}`}>
        {well && t('games.heardAfter', { ms })}
        {!well && broadcastMs !== null && t('games.broadcastOnly', { ms })}
        {!well && broadcastMs === null && t(multicastMs === null ? 'games.deaf' : 'games.multicastOnly')}
      </span>
    </li>
  );
}

/** What was carried to everybody since the room was joined, and what was not, with the reason. */
function Counts(): ReactNode {
  const t = useText();
  const format = useFormat();
  const discovery = useApp(({ snapshot }) => snapshot.discovery);
  if (discovery.way === 'off') return null;
  const counts = ['sent', 'received', 'rateLimited', 'duplicates', 'loops'] as const;
  return (
    <section className="mt-4 text-[13px]">
      <h3 className="mb-1 font-semibold">{t('games.counts')}</h3>
      <dl className="grid grid-cols-[1fr_auto] gap-x-4 gap-y-1">
        {counts.map((count) => (
          <Fragment key={count}>
            <dt className="text-soft">{t(`games.${count}`)}</dt>
            <dd className="text-end tabular-nums">{format.number(discovery[count])}</dd>
          </Fragment>
        ))}
      </dl>
    </section>
  );
}
