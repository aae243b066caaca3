import { type ReactNode, useEffect } from 'react';
import { X } from 'lucide-react';
import { useText } from '../../i18n/text.tsx';
import { useActions, useFace } from '../../store/hooks.ts';
import type { Toast } from '../../store/store.ts';
import { Banner } from '../../ui/banner.tsx';
import { IconButton } from '../../ui/button.tsx';
import { failureKey } from '../first/failure.tsx';

const SHOWN_MS = 8_000;

/** What was asked and could not be done. */
export function Toasts(): ReactNode {
  const toasts = useFace((state) => state.toasts);
  return (
    <div className="pointer-events-none absolute inset-x-0 bottom-4 z-20 mx-auto flex max-w-md flex-col gap-2 px-4 *:pointer-events-auto">
      {toasts.map((toast) => (
        <ToastView key={toast.id} toast={toast} />
      ))}
    </div>
  );
}

function ToastView({ toast: { id, code } }: { toast: Toast }): ReactNode {
  const t = useText();
  const { closeToast } = useActions();
  useEffect(() => {
    const timer = setTimeout(() => closeToast(id), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [id, closeToast]);
  const key = failureKey(code);
  return (
    <div className="rounded-xl bg-surface shadow-high">
      <Banner
        kind="danger"
        urgent
        title={t(`failure.${key}.title`)}
        actions={<IconButton icon={X} label={t('common.dismiss')} onClick={() => closeToast(id)} small />}
      >
        {t(`failure.${key}.help`)}
      </Banner>
    </div>
  );
}
