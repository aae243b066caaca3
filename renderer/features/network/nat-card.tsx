import type { ReactNode } from 'react';
import type { NatReport, NatType } from '../../../protocol/nat.ts';
import { useText } from '../../i18n/text.tsx';

const SCALE = ['open', 'NAT1', 'NAT2', 'NAT3', 'NAT4'] as const;

const COLOURS: Record<NatType, string> = {
  open: 'text-direct',
  NAT1: 'text-direct',
  NAT2: 'text-direct',
  NAT3: 'text-relayed',
  NAT4: 'text-danger',
  'udp-blocked': 'text-danger',
  unknown: 'text-soft',
};

/** The type in one word, where it stands between easy and strict, and what it means. */
export function NatCard({ nat: { type, ports } }: { nat: NatReport }): ReactNode {
  const t = useText();
  const counts = type === 'NAT4' && ports.kind === 'sequential';
  return (
    <section aria-labelledby="nat-type" className="rounded-2xl border border-line bg-surface p-4 shadow-card sm:p-5">
      <h2 id="nat-type" className="text-[13px] font-semibold text-soft">
        {t('network.type')}
      </h2>
      <p className={`settle mt-1 text-4xl font-bold tracking-tight ${COLOURS[type]}`}>
        {t(`network.types.${type}.name`)}
      </p>
      <p className="mt-1 text-lg font-semibold">{t(`network.types.${type}.title`)}</p>
      <ol aria-label={t('network.scale')} className="mt-4 grid grid-cols-5 gap-1.5">
        {SCALE.map((step) => (
          <li
            key={step}
            aria-current={step === type ? 'true' : undefined}
            className="group text-center text-[12px] text-soft aria-[current=true]:font-bold aria-[current=true]:text-text"
          >
            <span
              aria-hidden
              className={`settle mb-1 block h-2 rounded-full bg-sunken group-aria-[current=true]:bg-current ${COLOURS[step]}`}
            />
            {t(`network.types.${step}.name`)}
          </li>
        ))}
      </ol>
      <p className="mt-4">{counts ? t('network.types.NAT4.counting') : t(`network.types.${type}.help`)}</p>
    </section>
  );
}
