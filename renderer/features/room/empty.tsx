import { UserPlus } from 'lucide-react';
import type { ReactNode } from 'react';
import { useText } from '../../i18n/text.tsx';
import { useActions } from '../../store/hooks.ts';
import { Button } from '../../ui/button.tsx';

/** Nobody else is here yet: how that changes. */
export function EmptyRoom(): ReactNode {
  const t = useText();
  const { setInviting } = useActions();
  return (
    <section className="flex flex-col items-center gap-3 rounded-2xl border border-dashed border-line-strong px-6 py-12 text-center">
      <span aria-hidden className="mark mb-2 size-20" />
      <h2 className="text-xl font-semibold">{t('empty.title')}</h2>
      <p className="max-w-sm text-soft">{t('empty.lead')}</p>
      <Button kind="primary" size="large" icon={UserPlus} className="my-2" onClick={() => setInviting(true)}>
        {t('empty.action')}
      </Button>
      <p className="text-[13px] text-soft">{t('empty.or')}</p>
      <p className="text-[13px] text-soft">{t('empty.alone')}</p>
    </section>
  );
}
