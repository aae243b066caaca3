import { Upload } from 'lucide-react';
import { type DragEvent, type ReactNode, useRef } from 'react';
import { useText } from '../../i18n/text.tsx';
import { useActions } from '../../store/hooks.ts';
import { Button } from '../../ui/button.tsx';

/** Offers files to one friend. Nothing where this window cannot say where a file lies (a browser). */
export function SendFile({ peer, disabled }: { peer: string; disabled: boolean }): ReactNode {
  const t = useText();
  const { sendFiles } = useActions();
  const chooser = useRef<HTMLInputElement>(null);
  if (sendFiles === null) return null;
  return (
    <>
      <input
        ref={chooser}
        type="file"
        multiple
        aria-label={t('files.send')}
        tabIndex={-1}
        className="hidden"
        onChange={({ target }) => {
          sendFiles(peer, [...(target.files ?? [])]);
          target.value = '';
        }}
      />
      <Button size="small" icon={Upload} disabled={disabled} onClick={() => chooser.current?.click()}>
        {t('files.send')}
      </Button>
    </>
  );
}

/** What makes an element take files that are dropped on it. */
export function useDrop(peer: string): { onDragOver?(event: DragEvent): void; onDrop?(event: DragEvent): void } {
  const { sendFiles } = useActions();
  if (sendFiles === null) return {};
  return {
    onDragOver: (event) => {
      if (event.dataTransfer.types.includes('Files')) event.preventDefault();
    },
    onDrop: (event) => {
      event.preventDefault();
      sendFiles(peer, [...event.dataTransfer.files]);
    },
  };
}
