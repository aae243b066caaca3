import type { ReactNode } from 'react';
import { plainLine } from '../store/plain.ts';

/** A name that a stranger chose: one line, its direction kept to itself. */
export function Nick({ children, className = '' }: { children: string; className?: string }): ReactNode {
  return (
    <bdi className={`truncate ${className}`} title={plainLine(children, 128)}>
      {plainLine(children)}
    </bdi>
  );
}

const TINTS = [
  'bg-[#c65d3b]',
  'bg-[#8a6a1f]',
  'bg-[#4f7a3a]',
  'bg-[#2d7a6b]',
  'bg-[#3a6f9e]',
  'bg-[#6a5fae]',
  'bg-[#9a4f8d]',
  'bg-[#b04a5f]',
] as const;

/** The first letter on a colour of the member's key: the same friend looks the same every evening. */
export function Avatar({ nick, publicKey, faded }: { nick: string; publicKey: string; faded?: boolean }): ReactNode {
  let sum = 0;
  for (const character of publicKey) sum = (sum * 31 + character.charCodeAt(0)) % 9_973;
  const [letter] = new Intl.Segmenter().segment(plainLine(nick));
  return (
    <span
      aria-hidden
      className={`flex size-9 shrink-0 items-center justify-center overflow-hidden rounded-full text-sm font-semibold text-[#fff] uppercase ${TINTS[sum % TINTS.length]} ${faded ? 'opacity-45 grayscale' : ''}`}
    >
      {letter?.segment ?? ''}
    </span>
  );
}
