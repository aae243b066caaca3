import { Download, Power } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { diagnosticsResult, type Preferences } from '../../../protocol/face.ts';
import { useText } from '../../i18n/text.tsx';
import { useActions, useApp } from '../../store/hooks.ts';
import { plainLine } from '../../store/plain.ts';
import { Button } from '../../ui/button.tsx';
import { Choice } from '../../ui/choice.tsx';
import { Field } from '../../ui/field.tsx';
import { Card, Page } from '../../ui/page.tsx';
import { Switch } from '../../ui/switch.tsx';
import { ConnectionToggles, DiscoveryToggle } from '../room/toggles.tsx';
import { Reach } from './reach.tsx';
import { saveFile } from './save-file.ts';

export function Settings(): ReactNode {
  const t = useText();
  return (
    <Page title={t('settings.title')}>
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <div className="flex min-w-0 flex-col gap-4">
          <Card title={t('settings.connection')}>
            <div className="-my-2 divide-y divide-line">
              <ConnectionToggles />
              <DiscoveryToggle />
            </div>
          </Card>
          <Reach />
          <Behaviour />
        </div>
        <div className="flex min-w-0 flex-col gap-4">
          <Appearance />
          <Help />
          <About />
        </div>
      </div>
    </Page>
  );
}

function usePrefer(): (change: Partial<Preferences>) => void {
  const { ask } = useActions();
  return (change) => void ask({ type: 'prefer', change });
}

function Appearance(): ReactNode {
  const t = useText();
  const prefer = usePrefer();
  const { language, theme } = useApp((app) => app.preferences);
  return (
    <Card title={t('settings.appearance')}>
      <div className="flex flex-col gap-3">
        <Choice
          label={t('settings.language')}
          value={language}
          options={[
            { value: 'auto', label: t('settings.languageAuto') },
            { value: 'zh-CN', label: t('settings.languageZh') },
            { value: 'en', label: t('settings.languageEn') },
          ]}
          onChange={(value) => prefer({ language: value })}
        />
        <Choice
          label={t('settings.theme')}
          value={theme}
          options={[
            { value: 'system', label: t('settings.themeSystem') },
            { value: 'dark', label: t('settings.themeDark') },
            { value: 'light', label: t('settings.themeLight') },
          ]}
          onChange={(value) => prefer({ theme: value })}
        />
      </div>
    </Card>
  );
}

function Behaviour(): ReactNode {
  const t = useText();
  const prefer = usePrefer();
  const { nick, notifications, autostart, rejoin } = useApp((app) => app.preferences);
  // A tab in a browser neither starts with the computer nor notifies from a tray.
  const desktop = useApp(({ about }) => about.shell === 'electron');
  return (
    <Card title={t('settings.behaviour')}>
      <Field
        key={nick}
        label={t('settings.nick')}
        hint={t('settings.nickHelp')}
        maxLength={20}
        defaultValue={nick}
        onBlur={({ target }) => {
          if (target.value.trim() !== nick) prefer({ nick: target.value.trim() });
        }}
      />
      {desktop && (
        <div className="mt-2 -mb-2 divide-y divide-line">
          <Switch
            label={t('settings.notifications')}
            help={t('settings.notificationsHelp')}
            on={notifications}
            onChange={(on) => prefer({ notifications: on })}
          />
          <Switch
            label={t('settings.autostart')}
            help={t('settings.autostartHelp')}
            on={autostart}
            onChange={(on) => prefer({ autostart: on })}
          />
          <Switch
            label={t('settings.rejoin')}
            help={t('settings.rejoinHelp')}
            on={rejoin}
            onChange={(on) => prefer({ rejoin: on })}
          />
        </div>
      )}
    </Card>
  );
}

function Help(): ReactNode {
  const t = useText();
  const { ask } = useActions();
  const [saved, setSaved] = useState('');
  const save = async () => {
    const answer = await ask({ type: 'diagnostics' });
    const result = answer.ok ? diagnosticsResult.safeParse(answer.result) : null;
    if (!result?.success) return;
    saveFile(result.data.name, result.data.text);
    setSaved(t('settings.diagnosticsSaved', { name: plainLine(result.data.name, 128) }));
  };
  return (
    <Card title={t('settings.help')} lead={t('settings.diagnosticsHelp')}>
      <Button icon={Download} onClick={() => void save()}>
        {t('settings.diagnostics')}
      </Button>
      <p role="status" className="mt-2 text-[13px] text-soft empty:hidden">
        {saved}
      </p>
    </Card>
  );
}

/** As people call what Node calls the platform. */
const SYSTEMS: Readonly<Record<string, string>> = { win32: 'Windows', darwin: 'macOS', linux: 'Linux' };

function About(): ReactNode {
  const t = useText();
  const { ask } = useActions();
  const { version, platform, shell, servers } = useApp((app) => app.about);
  return (
    <Card title={t('settings.about')}>
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1 text-[13px]">
        <dt className="text-soft">{t('settings.version')}</dt>
        <dd>{version}</dd>
        <dt className="text-soft">{t('settings.system')}</dt>
        <dd>
          {SYSTEMS[platform] ?? platform} ·{' '}
          {shell === 'electron' ? t('settings.shellElectron') : t('settings.shellBrowser')}
        </dd>
        <dt className="text-soft">{t('settings.servers')}</dt>
        <dd className="break-all">{servers.length === 0 ? t('settings.noServers') : servers.join(', ')}</dd>
      </dl>
      {shell === 'electron' && (
        <Button
          icon={Power}
          kind="quiet"
          size="small"
          className="-ms-2 mt-3"
          onClick={() => void ask({ type: 'quit' })}
        >
          {t('settings.quit')}
        </Button>
      )}
    </Card>
  );
}
