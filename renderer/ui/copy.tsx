import { Check, Copy } from 'lucide-react';
import { type ReactNode, useEffect, useState } from 'react';
import { useText } from '../i18n/text.tsx';
import { Button } from './button.tsx';

const SHOWN_MS = 1_600;

/** Writes to the clipboard; `copied` for a moment afterwards. */
export function useCopy(): { copied: boolean; copy(text: string): void } {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  return {
    copied,
    copy: (text) => {
      if (write(text)) setCopied(true);
    },
  };
}

/**
 * The old way: unlike the clipboard API it is synchronous, and works on a click in every shell and browser without a
 * permission. It selects the text of a hidden field, within the open dialog if there is one: the rest of the page is inert.
 */
function write(text: string): boolean {
  const before = document.activeElement;
  const field = document.createElement('textarea');
  field.value = text;
  field.className = 'sr-only';
  (document.querySelector('dialog[open]') ?? document.body).append(field);
  field.select();
  const done = document.execCommand('copy');
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  return done;
}

interface CopyValueProps {
  value: string;
  className?: string;
  /** Without the icon in a small window. */
  compact?: boolean;
  /** Breaks where it is too long, instead of ending in an ellipsis: half an address is none. */
  whole?: boolean;
}

/** A value that a click copies. Its width never changes. */
export function CopyValue({ value, className = '', compact = false, whole = false }: CopyValueProps): ReactNode {
  const t = useText();
  const { copied, copy } = useCopy();
  const Icon = copied ? Check : Copy;
  return (
    <button
      type="button"
      aria-label={t('common.copyValue', { value })}
      title={t('common.copy')}
      onClick={() => copy(value)}
      className={`settle group inline-flex min-h-6 max-w-full items-center gap-1.5 rounded px-1 font-mono text-[13px] hover:bg-hover hover:text-text ${className}`}
    >
      <span className={whole ? 'min-w-0 text-start break-all' : 'truncate'}>{value}</span>
      <Icon
        aria-hidden
        className={`size-3.5 shrink-0 ${compact && !copied ? 'max-sm:hidden' : ''} ${copied ? 'text-accent' : 'text-soft'}`}
      />
      <span role="status" className="sr-only">
        {copied ? t('common.copied') : ''}
      </span>
    </button>
  );
}

export function CopyButton({ value, label }: { value: string; label: string }): ReactNode {
  const t = useText();
  const { copied, copy } = useCopy();
  return (
    <Button kind="primary" icon={copied ? Check : Copy} onClick={() => copy(value)} className="min-w-32">
      <span aria-live="polite">{copied ? t('common.copied') : label}</span>
    </Button>
  );
}
