import type { ReactNode } from 'react';
import type { NatReport } from '../../../protocol/nat.ts';
import { useText } from '../../i18n/text.tsx';
import { useActions, useApp } from '../../store/hooks.ts';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/page.tsx';
import { type Advice, adviceFor } from './advice.ts';

/** What would help, best first; what one click can do has its button. */
export function AdviceCard({ nat }: { nat: NatReport }): ReactNode {
  const t = useText();
  const settings = useApp(({ snapshot }) => snapshot.settings);
  const advice = adviceFor(nat, settings);
  if (advice === null || advice.length === 0) {
    return (
      <Card title={t('network.advice')}>
        <p className="text-soft">{advice === null ? t('network.adviceUnknown') : t('network.adviceNone')}</p>
      </Card>
    );
  }
  return (
    <Card title={t('network.advice')} lead={advice.length > 1 ? t('network.adviceLead') : undefined}>
      <ol className="flex flex-col gap-4">
        {advice.map((each, at) => (
          <li key={each} className="flex items-start gap-3">
            <span
              aria-hidden
              className="flex size-7 shrink-0 items-center justify-center rounded-full bg-accent-soft text-[13px] font-semibold text-accent"
            >
              {at + 1}
            </span>
            <div className="min-w-0 flex-1">
              <h3 className="font-semibold">{t(`network.advices.${each}.title`)}</h3>
              <p className="text-[13px] text-soft">{t(`network.advices.${each}.help`)}</p>
              <AdviceButton advice={each} />
            </div>
          </li>
        ))}
      </ol>
    </Card>
  );
}

function AdviceButton({ advice }: { advice: Advice }): ReactNode {
  const t = useText();
  const { ask } = useActions();
  if (advice !== 'portMapping' && advice !== 'hardNat') return null;
  const setting = advice === 'portMapping' ? 'port-mapping' : 'hard-nat';
  return (
    <Button size="small" className="mt-2" onClick={() => void ask({ type: 'set', setting, on: true })}>
      {t(`network.advices.${advice}.action`)}
    </Button>
  );
}
