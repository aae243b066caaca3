import { MapPin } from 'lucide-react';
import type { ReactNode } from 'react';
import type { NatReport } from '../../../protocol/nat.ts';
import { useText } from '../../i18n/text.tsx';
import { Card } from '../../ui/page.tsx';

const BEHAVIOURS = ['endpoint-independent', 'address-dependent', 'address-and-port-dependent'] as const;
/** How strict a cell is, by the sum of its row and column: from easy to hard. */
const TINTS = ['bg-direct-soft', 'bg-direct-soft', 'bg-relayed-soft', 'bg-danger-soft', 'bg-danger-soft'] as const;

/** RFC 5780: mapping by filtering, nine combinations, and the one that this network is. */
export function BehaviourGrid({ nat }: { nat: NatReport }): ReactNode {
  const t = useText();
  const placed = nat.mapping !== 'unknown' && nat.mapping !== 'none' && nat.filtering !== 'unknown';
  return (
    <Card title={t('network.grid')} lead={t('network.gridCaption')}>
      <table className="w-full table-fixed border-separate border-spacing-1 text-[12px]">
        <thead>
          <tr>
            <td className="align-bottom text-soft">
              {t('network.mapping')} → <br />
              {t('network.filtering')} ↓
            </td>
            {BEHAVIOURS.map((mapping) => (
              <th key={mapping} scope="col" className="px-1 pb-1 align-bottom font-medium text-soft">
                {t(`network.behaviour.${mapping}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {BEHAVIOURS.map((filtering, row) => (
            <tr key={filtering}>
              <th scope="row" className="pe-1 text-start font-medium text-soft">
                {t(`network.behaviour.${filtering}`)}
              </th>
              {BEHAVIOURS.map((mapping, column) => {
                const here = mapping === nat.mapping && filtering === nat.filtering;
                return (
                  <td
                    key={mapping}
                    className={`settle h-10 rounded-lg text-center ${TINTS[column * 2 + row > 4 ? 4 : column * 2 + row]} ${here ? 'outline-2 outline-text' : ''}`}
                  >
                    {here && <Here />}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
      {!placed && (
        <p className="mt-2 text-[13px] text-soft">
          {nat.mapping === 'none' ? t('network.gridNone') : t('network.gridUnknown')}
        </p>
      )}
    </Card>
  );
}

function Here(): ReactNode {
  const t = useText();
  return (
    <span className="inline-flex items-center gap-1 font-semibold">
      <MapPin aria-hidden className="size-4 shrink-0" />
      <span className="max-sm:sr-only">{t('network.gridYou')}</span>
    </span>
  );
}
