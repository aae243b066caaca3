import { Radar } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { type DiscoveryCheck, discoveryCheck } from '../../../protocol/discovery.ts';
import { useText } from '../../i18n/text.tsx';
import { useActions } from '../../store/hooks.ts';
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
      <ul role="status" className="mt-2 text-[13px] empty:hidden">
        {found?.members.length === 0 && <li>{t('games.nobody')}</li>}
        {found?.members.map(({ nick, ipv4, broadcastMs, multicastMs }) => (
          <li key={`${nick} ${ipv4}`} className="flex justify-between gap-3 py-1">
            <span className="min-w-0 truncate">{plainLine(nick)}</span>
            <span className={broadcastMs === null ? 'text-danger' : 'text-soft'}>
              {broadcastMs === null
                ? t(multicastMs === null ? 'games.deaf' : 'games.multicastOnly')
                : t('games.heardAfter', { ms: Math.round(broadcastMs) })}
            </span>
          </li>
        ))}
      </ul>
    </Card>
  );
}
