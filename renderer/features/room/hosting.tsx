import type { ReactNode } from 'react';
import { useText } from '../../i18n/text.tsx';
import { useApp } from '../../store/hooks.ts';
import { Banner } from '../../ui/banner.tsx';
import { CopyValue } from '../../ui/copy.tsx';
import { failureKey } from '../first/failure.tsx';

/** The meeting point on this PC: its addresses, and who can reach it. */
export function HostingCard(): ReactNode {
  const t = useText();
  const hosting = useApp((app) => app.hosting);
  const mapped = useApp(({ snapshot }) => snapshot.settings.portMapping);
  if (hosting.state === 'off') return null;
  if (hosting.state === 'starting') return <Banner kind="info">{t('hosting.starting')}</Banner>;
  if (hosting.state === 'failed') {
    return (
      <Banner kind="danger" title={t('hosting.failed')}>
        {t(`failure.${failureKey(hosting.code)}.help`)}
      </Banner>
    );
  }
  const reach = hosting.reachable === null ? 'unknown' : hosting.reachable ? 'reachable' : 'unreachable';
  return (
    <Banner kind={reach === 'unreachable' ? 'warning' : 'info'} title={t('hosting.on')}>
      <p>{reach === 'unreachable' && mapped ? t('hosting.unmapped') : t(`hosting.${reach}`)}</p>
      <ul aria-label={t('hosting.addresses')} className="-ms-1 flex flex-wrap gap-x-3">
        {hosting.urls.map((url) => (
          <li key={url} className="min-w-0">
            <CopyValue value={url} />
          </li>
        ))}
      </ul>
    </Banner>
  );
}
