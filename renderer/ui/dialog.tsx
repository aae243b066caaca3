import { X } from 'lucide-react';
import { type ReactNode, useId, useLayoutEffect, useRef } from 'react';
import { useText } from '../i18n/text.tsx';
import { IconButton } from './button.tsx';

interface DialogProps {
  title: ReactNode;
  children: ReactNode;
  onClose(): void;
}

/** A native modal dialog: the browser holds the focus in it and gives it back. Shown as long as it is mounted. */
export function Dialog({ title, children, onClose }: DialogProps): ReactNode {
  const t = useText();
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  // Before the element goes: only a dialog that closes in the page gives the focus back.
  useLayoutEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    return () => shown?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onPointerDown={(event) => {
        if (event.target === dialog.current) onClose();
      }}
      className="max-h-[calc(100dvh-2rem)] w-[min(30rem,calc(100vw-2rem))] overflow-y-auto rounded-2xl border border-line bg-surface shadow-high"
    >
      <div className="p-5">
        <div className="mb-3 flex items-start gap-3">
          <h2 id={id} className="min-w-0 flex-1 pt-1 text-lg font-semibold wrap-break-word">
            {title}
          </h2>
          <IconButton icon={X} label={t('common.close')} onClick={onClose} className="-me-1.5" />
        </div>
        {children}
      </div>
    </dialog>
  );
}
