import { ClipboardPaste } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { INVITE_BYTES } from '../../../protocol/invite.ts';
import { useText } from '../../i18n/text.tsx';
import { useActions } from '../../store/hooks.ts';
import { Button } from '../../ui/button.tsx';
import { Field } from '../../ui/field.tsx';

type Trouble = 'pasteEmpty' | 'pasteDenied';

/** Opens an invite that is typed or pasted, or from the clipboard, which is read on a click only. */
export function PasteInvite(): ReactNode {
  const t = useText();
  const { command } = useActions();
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const [link, setLink] = useState('');

  const open = async (text: string) => {
    const opened =
      text.length > 0 && text.length <= INVITE_BYTES && (await command({ type: 'open-invite', link: text })).ok;
    setTrouble(opened ? null : 'pasteEmpty');
    if (opened) setLink('');
  };
  const paste = async () => {
    try {
      await open((await navigator.clipboard.readText()).trim());
    } catch {
      setTrouble('pasteDenied');
      document.getElementsByName('link')[0]?.focus();
    }
  };

  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void open(link.trim());
      }}
      className="rounded-2xl border border-line bg-surface p-4 shadow-card"
    >
      <h2 className="font-semibold">{t('first.invite')}</h2>
      <p className="mb-3 text-[13px] text-soft">{t('first.inviteHelp')}</p>
      <div className="flex items-start gap-2">
        <Field
          label={t('first.pasteField')}
          labelHidden
          name="link"
          className="min-w-0 flex-1"
          placeholder="warren://join#"
          maxLength={INVITE_BYTES}
          value={link}
          problem={trouble === null ? undefined : t(`first.${trouble}`)}
          onChange={(event) => {
            setTrouble(null);
            setLink(event.target.value);
          }}
        />
        <Button type="submit" size="large" hidden={link === ''}>
          {t('first.pasteOpen')}
        </Button>
        <Button icon={ClipboardPaste} size="large" hidden={link !== ''} onClick={() => void paste()}>
          {t('first.paste')}
        </Button>
      </div>
    </form>
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
