import type { ReactNode } from 'react';
import type { NatReport } from '../../../protocol/nat.ts';
import { useText } from '../../i18n/text.tsx';
import { useActions, useApp } from '../../store/hooks.ts';
import { Button } from '../../ui/button.tsx';
import { Card, Page } from '../../ui/page.tsx';
import { PortPicture } from '../../ui/port-picture.tsx';
import { AdviceCard } from './advice-card.tsx';
import { BehaviourGrid } from './behaviour-grid.tsx';
import { DiscoveryCard } from './discovery-card.tsx';
import { NatFacts } from './facts.tsx';
import { NatCard } from './nat-card.tsx';

/** What is known of the own network, and what would help. */
export function Network(): ReactNode {
  const t = useText();
  const nat = useApp(({ snapshot }) => snapshot.self?.nat ?? null);
  return (
    <Page title={t('network.title')} lead={t('network.lead')}>
      {nat === null ? <Unmeasured /> : <Measured nat={nat} />}
    </Page>
  );
}

function Unmeasured(): ReactNode {
  const t = useText();
  const { show } = useActions();
  return (
    <section className="flex flex-col items-center gap-4 rounded-2xl border border-dashed border-line-strong px-6 py-14 text-center">
      <p className="max-w-sm text-soft">{t('network.off')}</p>
      <Button kind="primary" onClick={() => show('main')}>
        {t('network.offAction')}
      </Button>
    </section>
  );
}

function Measured({ nat }: { nat: NatReport }): ReactNode {
  const t = useText();
  return (
    <div className="grid items-start gap-4 lg:grid-cols-2">
      <div className="flex min-w-0 flex-col gap-4">
        <NatCard nat={nat} />
        <AdviceCard nat={nat} />
        <DiscoveryCard />
      </div>
      <div className="flex min-w-0 flex-col gap-4">
        <BehaviourGrid nat={nat} />
        <Card title={t('network.ports')}>
          <PortPicture ports={nat.ports} />
        </Card>
        <NatFacts nat={nat} />
      </div>
    </div>
  );
}
