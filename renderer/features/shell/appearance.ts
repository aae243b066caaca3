import { useEffect } from 'react';
import { useLanguage } from '../../i18n/text.tsx';
import { useFace } from '../../store/hooks.ts';

/** Gives the page the language and the theme that were chosen; `system` follows the system as it changes. */
export function useAppearance(): void {
  const language = useLanguage();
  const theme = useFace(({ app }) => app?.preferences.theme ?? 'system');
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  useEffect(() => {
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const apply = () => {
      document.documentElement.dataset['theme'] = theme === 'system' ? (dark.matches ? 'dark' : 'light') : theme;
    };
    apply();
    dark.addEventListener('change', apply);
    return () => dark.removeEventListener('change', apply);
  }, [theme]);
}
