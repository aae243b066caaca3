import type { LucideIcon } from 'lucide-react';
import type { ComponentProps, ReactNode } from 'react';

const KINDS = {
  primary: 'bg-accent text-on-accent font-semibold hover:enabled:bg-accent-hover',
  plain: 'bg-raised text-text font-medium border border-line hover:enabled:bg-hover hover:enabled:border-line-strong',
  quiet: 'text-soft font-medium hover:enabled:bg-hover hover:enabled:text-text',
  danger: 'bg-danger-soft text-danger font-semibold border border-transparent hover:enabled:border-danger',
} as const;

const SIZES = { large: 'h-11 px-5 text-[15px]', normal: 'h-9 px-3.5', small: 'h-7 px-2 text-[13px]' } as const;

interface ButtonProps extends ComponentProps<'button'> {
  kind?: keyof typeof KINDS;
  size?: keyof typeof SIZES;
  icon?: LucideIcon;
}

export function Button({
  kind = 'plain',
  size = 'normal',
  icon: Icon,
  className = '',
  children,
  ...rest
}: ButtonProps): ReactNode {
  return (
    <button
      type="button"
      className={`settle inline-flex shrink-0 items-center justify-center gap-2 [&[hidden]]:hidden rounded-lg whitespace-nowrap disabled:opacity-50 ${KINDS[kind]} ${SIZES[size]} ${className}`}
      {...rest}
    >
      {Icon && <Icon aria-hidden className="size-4 shrink-0" />}
      {children}
    </button>
  );
}

interface IconButtonProps extends ComponentProps<'button'> {
  icon: LucideIcon;
  /** Its accessible name, and its tooltip. */
  label: string;
  small?: boolean;
}

export function IconButton({ icon: Icon, label, small = false, className = '', ...rest }: IconButtonProps): ReactNode {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className={`settle inline-flex shrink-0 items-center justify-center rounded-lg text-soft hover:enabled:bg-hover hover:enabled:text-text disabled:opacity-50 ${small ? 'size-7' : 'size-9'} ${className}`}
      {...rest}
    >
      <Icon aria-hidden className="size-4" />
    </button>
  );
}
