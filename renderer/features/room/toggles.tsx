import type { ReactNode } from 'react';
import { useText } from '../../i18n/text.tsx';
import { useActions, useApp } from '../../store/hooks.ts';
import { Switch } from '../../ui/switch.tsx';

/** The two switches that a person may want in reach: NAT4 punching and port mapping. `compact`: in one line. */
export function ConnectionToggles({ compact = false }: { compact?: boolean }): ReactNode {
  const t = useText();
  const { ask } = useActions();
  const { hardNat, portMapping } = useApp((app) => app.snapshot.settings);
  return (
    <>
      <Switch
        label={t('room.hardNat')}
        help={t('room.hardNatHelp')}
        compact={compact}
        on={hardNat}
        onChange={(on) => void ask({ type: 'set', setting: 'hard-nat', on })}
      />
      <Switch
        label={t('room.portMapping')}
        help={t('room.portMappingHelp')}
        compact={compact}
        on={portMapping}
        onChange={(on) => void ask({ type: 'set', setting: 'port-mapping', on })}
      />
    </>
  );
}

/** Whether games find each other; says what that costs the home network. */
export function DiscoveryToggle(): ReactNode {
  const t = useText();
  const { ask } = useActions();
  const discovery = useApp((app) => app.snapshot.settings.discovery);
  const copies = useApp((app) => app.snapshot.discovery.way === 'copies');
  return (
    <Switch
      label={t('games.discovery')}
      help={t(copies ? 'games.discoveryHelpCopies' : 'games.discoveryHelp')}
      on={discovery}
      onChange={(on) => void ask({ type: 'set', setting: 'discovery', on })}
    />
  );
}
