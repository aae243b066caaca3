import { ClipboardPaste } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { useText } from '../../i18n/text.tsx';
import { useActions } from '../../store/hooks.ts';
import { Button } from '../../ui/button.tsx';
import { Field } from '../../ui/field.tsx';

type Trouble = 'pasteEmpty' | 'pasteDenied';

/** Opens an invite from the clipboard, which is read on this click only; where that is denied, from a field. */
export function PasteInvite(): ReactNode {
  const t = useText();
  const { command } = useActions();
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const [link, setLink] = useState('');

  const open = async (text: string) => {
    const opened = text.length > 0 && text.length <= 1_024 && (await command({ type: 'open-invite', link: text })).ok;
    setTrouble(opened ? null : 'pasteEmpty');
    if (opened) setLink('');
  };
  const paste = async () => {
    try {
      await open((await navigator.clipboard.readText()).trim());
    } catch {
      setTrouble('pasteDenied');
    }
  };

  return (
    <section aria-labelledby="invited" className="rounded-2xl border border-line bg-surface p-4 shadow-card">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-3">
        <div className="min-w-0 flex-1 basis-48">
          <h2 id="invited" className="font-semibold">
            {t('first.invite')}
          </h2>
          <p className="text-[13px] text-soft">{t('first.inviteHelp')}</p>
        </div>
        <Button icon={ClipboardPaste} onClick={() => void paste()}>
          {t('first.paste')}
        </Button>
      </div>
      {trouble !== null && (
        <form
          className="mt-3 flex flex-col gap-2"
          onSubmit={(event) => {
            event.preventDefault();
            void open(link.trim());
          }}
        >
          <p role="alert" className="text-[13px] text-danger">
            {t(`first.${trouble}`)}
          </p>
          <div className="flex items-end gap-2">
            <Field
              label={t('first.pasteField')}
              className="min-w-0 flex-1"
              placeholder="warren://join#"
              maxLength={1_024}
              value={link}
              onChange={(event) => setLink(event.target.value)}
            />
            <Button type="submit" className="h-11">
              {t('first.pasteOpen')}
            </Button>
          </div>
        </form>
      )}
    </section>
  );
}

/** For who sees Warren for the first time. */
export function HowItWorks(): ReactNode {
  const t = useText();
  return (
    <section aria-labelledby="how" className="px-1 pt-1">
      <h2 id="how" className="mb-3 font-semibold">
        {t('first.how')}
      </h2>
      <ol className="flex flex-col gap-3.5">
        {(['how1', 'how2', 'how3'] as const).map((step, at) => (
          <li key={step} className="flex items-start gap-3">
            <span
              aria-hidden
              className="flex size-7 shrink-0 items-center justify-center rounded-full bg-accent-soft text-[13px] font-semibold text-accent"
            >
              {at + 1}
            </span>
            <span className="pt-0.5">{t(`first.${step}`)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}
