import { CircleAlert, Info, type LucideIcon, TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';

const LOOKS = {
  danger: { icon: CircleAlert, box: 'border-danger/40 bg-danger-soft', ink: 'text-danger' },
  warning: { icon: TriangleAlert, box: 'border-relayed/40 bg-relayed-soft', ink: 'text-relayed' },
  info: { icon: Info, box: 'border-line bg-raised', ink: 'text-soft' },
} satisfies Record<string, { icon: LucideIcon; box: string; ink: string }>;

interface BannerProps {
  kind: keyof typeof LOOKS;
  title?: ReactNode;
  children?: ReactNode;
  /** Buttons at the end. */
  actions?: ReactNode;
  /** Said by a screen reader at once; default: when it is idle. */
  urgent?: boolean;
}

/** Something that the person should know, and what to do about it. */
export function Banner({ kind, title, children, actions, urgent }: BannerProps): ReactNode {
  const { icon: Icon, box, ink } = LOOKS[kind];
  return (
    <div
      role={urgent ? 'alert' : 'status'}
      className={`flex flex-wrap items-start gap-x-3 gap-y-2 rounded-xl border px-3.5 py-3 ${box}`}
    >
      <Icon aria-hidden className={`mt-0.5 size-4.5 shrink-0 ${ink}`} />
      <div className="min-w-0 flex-1 basis-52">
        {title && <p className="font-semibold wrap-break-word">{title}</p>}
        {children && <div className="text-[13.5px] wrap-break-word">{children}</div>}
      </div>
      {actions && <div className="flex items-center gap-1.5">{actions}</div>}
    </div>
  );
}
