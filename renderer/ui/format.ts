/** Figures as people read them. Widths stay: few digits, and tabular ones. */
import type { Text } from '../i18n/text.tsx';

/** A round trip: whole ms, a tenth below ten. */
export function pingText(t: Text, rttMs: number | null): string {
  if (rttMs === null) return '–';
  if (rttMs < 1) return t('member.pingUnder');
  return t('member.pingValue', { ms: msText(rttMs) });
}

export const msText = (ms: number): string => (ms < 9.95 ? ms.toFixed(1) : Math.round(ms).toString());

export function lossText(lossPct: number | null): string {
  if (lossPct === null) return '–';
  return lossPct > 0 && lossPct < 9.95 ? `${lossPct.toFixed(1)}%` : `${Math.round(lossPct)}%`;
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

export function bytesText(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const value = bytes / 1_000 ** power;
  return `${power > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} ${UNITS[power]}`;
}
