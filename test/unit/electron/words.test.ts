import { describe, expect, it } from 'vitest';
import { type Language, languageOf, oneLine, say, type Word, WORDS } from '../../../electron/main/words.ts';
import { en } from '../../../renderer/i18n/en.ts';
import { zhCN } from '../../../renderer/i18n/zh-CN.ts';
import { app } from '../../e2e/fixtures/sample.ts';

const placeholders = (text: string): string[] => [...text.matchAll(/\{\w+\}/g)].map(([name]) => name).sort();

describe('the tables of words', () => {
  it('have the same entries, none of them empty, with the same values in them', () => {
    for (const language of Object.keys(WORDS) as Language[]) {
      expect(Object.keys(WORDS[language])).toEqual(Object.keys(WORDS.en));
      for (const word of Object.keys(WORDS.en) as Word[]) {
        expect(WORDS[language][word]).not.toBe('');
        expect(placeholders(WORDS[language][word]), word).toEqual(placeholders(WORDS.en[word]));
      }
    }
  });

  it('differ: nothing was left untranslated but the name', () => {
    const same = (Object.keys(WORDS.en) as Word[]).filter((word) => WORDS.en[word] === WORDS['zh-CN'][word]);
    expect(same).toEqual(['app']);
  });

  it('are punctuated as Chinese is where they are Chinese', () => {
    const foreign = Object.values(WORDS['zh-CN']).filter((text) =>
      /[\p{Script=Han}}][,:;!?()]|[,:;!?()]\p{Script=Han}/u.test(text),
    );
    expect(foreign).toEqual([]);
  });

  it('name the switches as the window does', () => {
    for (const [language, { room }] of [
      ['en', en],
      ['zh-CN', zhCN],
    ] as const) {
      expect(WORDS[language].hardNat).toContain(room.hardNat);
      expect(WORDS[language].portMapping).toContain(room.portMapping);
    }
  });
});

it('fills values in once, whatever they look like', () => {
  expect(say('en', 'noticeJoined', { nick: '{room}', room: 'lan' })).toBe('{room} joined lan');
  expect(say('en', 'noticeJoined', { nick: '$&', room: '{nick}' })).toBe('$& joined {nick}');
});

it.for([
  ['auto', 'zh-CN', 'zh-CN'],
  ['auto', 'zh', 'zh-CN'],
  ['auto', 'zha-CN', 'en'],
  ['auto', 'de-AT', 'en'],
  ['en', 'zh-CN', 'en'],
  ['zh-CN', 'en-GB', 'zh-CN'],
] as const)('speaks, for the choice %s on a system in %s, %s', ([language, locale, spoken]) => {
  const { preferences, about } = app();
  expect(languageOf({ preferences: { ...preferences, language }, about: { ...about, locale } })).toBe(spoken);
});

it('cuts between characters, not inside one', () => {
  const cut = oneLine('🦡'.repeat(50));
  expect(Array.from(cut)).toHaveLength(32);
  expect(cut).not.toMatch(/\p{Cs}/u);
});
