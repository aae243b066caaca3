/** Texts with checked keys, in the language that the person chose or the system has. */
import type { ReactNode } from 'react';
import { IntlProvider, useFormatter, useTranslations } from 'use-intl';
import type { Preferences } from '../../protocol/face.ts';
import { useFace } from '../store/hooks.ts';
import { en, type Messages } from './en.ts';
import { zhCN } from './zh-CN.ts';

declare module 'use-intl' {
  interface AppConfig {
    Locale: Language;
    Messages: Messages;
  }
}

export type Language = 'en' | 'zh-CN';
const MESSAGES: Record<Language, Messages> = { en, 'zh-CN': zhCN };

/** `auto` follows the system's language tag (BCP 47). */
export function languageOf(preference: Preferences['language'], locale: string): Language {
  if (preference !== 'auto') return preference;
  return /^zh\b/i.test(locale) ? 'zh-CN' : 'en';
}

export function Texts({ children }: { children: ReactNode }): ReactNode {
  const language = useFace(({ app }) =>
    languageOf(app?.preferences.language ?? 'auto', app?.about.locale ?? navigator.language),
  );
  return (
    <IntlProvider locale={language} messages={MESSAGES[language]} timeZone={ZONE}>
      {children}
    </IntlProvider>
  );
}

const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

export const useText = () => useTranslations();
export type Text = ReturnType<typeof useText>;
export type Format = ReturnType<typeof useFormatter>;
export { useFormatter as useFormat, useLocale as useLanguage } from 'use-intl';
