import { ArrowLeftRight, Ban, CircleDashed, CloudOff, type LucideIcon, Waypoints } from 'lucide-react';
import type { ReactNode } from 'react';
import { useText } from '../i18n/text.tsx';
import type { Standing } from '../store/member.ts';

const LOOKS: Record<Standing, { icon: LucideIcon; colours: string; text: string }> = {
  direct: { icon: ArrowLeftRight, colours: 'bg-direct-soft text-direct', text: 'text-direct' },
  relayed: { icon: Waypoints, colours: 'bg-relayed-soft text-relayed', text: 'text-relayed' },
  connecting: { icon: CircleDashed, colours: 'bg-idle-soft text-idle', text: 'text-idle' },
  lost: { icon: CloudOff, colours: 'bg-danger-soft text-danger', text: 'text-danger' },
  blocked: { icon: Ban, colours: 'bg-idle-soft text-idle', text: 'text-idle' },
};

/** How a member is connected: an icon, a word, and a colour, never the colour alone. */
export function StandingBadge({ standing }: { standing: Standing }): ReactNode {
  const t = useText();
  const { icon: Icon, colours } = LOOKS[standing];
  return (
    <span
      className={`settle inline-flex h-6 shrink-0 items-center gap-1.5 rounded-full px-2.5 text-[12.5px] font-semibold whitespace-nowrap ${colours}`}
    >
      <Icon aria-hidden className="size-3.5" />
      {t(`standing.${standing}`)}
    </span>
  );
}

/** The same as a count in a line. */
export function StandingCount({ standing, count }: { standing: Standing; count: number }): ReactNode {
  const t = useText();
  const { icon: Icon, text } = LOOKS[standing];
  return (
    <span className={`inline-flex items-center gap-1.5 whitespace-nowrap ${text}`}>
      <Icon aria-hidden className="size-3.5" />
      {count} {t(`standing.${standing}`)}
    </span>
  );
}
