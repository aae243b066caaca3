import type { ReactNode } from 'react';
import { useText } from '../i18n/text.tsx';
import { Button } from './button.tsx';
import { Dialog } from './dialog.tsx';

interface ConfirmProps {
  title: ReactNode;
  children: ReactNode;
  /** What the button that does it says. */
  action: string;
  /** What the other says; default: Cancel. */
  decline?: string;
  kind?: 'primary' | 'danger';
  onConfirm(): void;
  onClose(): void;
}

export function Confirm({
  title,
  children,
  action,
  decline,
  kind = 'primary',
  onConfirm,
  onClose,
}: ConfirmProps): ReactNode {
  const t = useText();
  return (
    <Dialog title={title} onClose={onClose}>
      {children}
      <div className="mt-5 flex flex-wrap justify-end gap-2">
        <Button onClick={onClose}>{decline ?? t('common.cancel')}</Button>
        <Button kind={kind} onClick={onConfirm}>
          {action}
        </Button>
      </div>
    </Dialog>
  );
}
