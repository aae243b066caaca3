/** Every word that the window shows is in both languages, and nowhere else. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTranslator } from 'use-intl/core';
import { describe, expect, it } from 'vitest';
import { en } from '../../../renderer/i18n/en.ts';
import { zhCN } from '../../../renderer/i18n/zh-CN.ts';

const RENDERER = new URL('../../../renderer/', import.meta.url).pathname;

interface Tree {
  readonly [key: string]: string | Tree;
}

function flatten(tree: Tree, prefix = ''): Map<string, string> {
  return new Map(
    Object.entries(tree).flatMap(([key, value]) =>
      typeof value === 'string' ? [[prefix + key, value] as const] : [...flatten(value, `${prefix}${key}.`)],
    ),
  );
}

/** Names of the ICU arguments of a message. */
const placeholders = (message: string): string[] =>
  [...new Set([...message.matchAll(/\{(\w+)(?=[,}])/g)].map(([, name]) => name ?? ''))].sort();

function sources(folder: string): { file: string; text: string }[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return /\.tsx?$/.test(entry.name) ? [{ file: path.slice(RENDERER.length), text: readFileSync(path, 'utf8') }] : [];
  });
}

const english = flatten(en);
const chinese = flatten(zhCN);
const code = sources(RENDERER).filter(({ file }) => !/^i18n\/(?:en|zh-CN)\.ts$/.test(file));

/** Keys as literals, and keys with a part that is computed, as patterns. */
function usedKeys(): { literal: Set<string>; patterns: RegExp[] } {
  const all = code.map(({ text }) => text).join('\n');
  const literal = new Set([...all.matchAll(/'([a-z]\w*(?:\.[\w-]+)+)'/gi)].map(([, key]) => key ?? ''));
  const templates = [...all.matchAll(/\bt\(\s*`([^`]+)`/g)].map(([, template]) => template ?? '');
  const patterns = templates.map(
    (template) => new RegExp(`^${template.replaceAll('.', '\\.').replace(/\$\{(?:[^{}]|\{[^}]*\})*\}/g, '[\\w-]+')}$`),
  );
  return { literal, patterns };
}

describe('the texts', () => {
  it('are the same keys in both languages', () => {
    expect([...chinese.keys()].sort()).toEqual([...english.keys()].sort());
  });

  it('are never empty, and Chinese where they are Chinese', () => {
    const empty = [...english, ...chinese].filter(([, text]) => text.trim() === '');
    expect(empty).toEqual([]);
    // Names and units read the same in both.
    const same = [...chinese].filter(([key, text]) => english.get(key) === text && /[a-z]{3}/i.test(text));
    expect(same.map(([key]) => key)).toEqual(SAME_IN_BOTH);
  });

  it('take the same arguments in both languages', () => {
    for (const [key, text] of english)
      expect([key, placeholders(chinese.get(key) ?? '')]).toEqual([key, placeholders(text)]);
  });

  it.each([
    ['en', en],
    ['zh-CN', zhCN],
  ] as const)('all can be formatted in %s', (locale, messages) => {
    const failures: unknown[] = [];
    const t = createTranslator({ locale, messages: messages as typeof en, onError: (error) => failures.push(error) });
    const say = t as unknown as (key: string, values: Record<string, string | number>) => string;
    for (const [key, text] of flatten(messages)) {
      const values = Object.fromEntries(placeholders(text).map((name) => [name, 2]));
      expect(say(key, values)).not.toContain('{');
    }
    expect(failures).toEqual([]);
  });

  it('are all used, and all that is used is there', () => {
    const { literal, patterns } = usedKeys();
    const used = (key: string) => literal.has(key) || patterns.some((pattern) => pattern.test(key));
    expect([...english.keys()].filter((key) => !used(key))).toEqual([]);
    const sections = new Set(Object.keys(en));
    const asked = [...literal].filter((key) => sections.has(key.split('.')[0] ?? ''));
    expect(asked.filter((key) => !english.has(key))).toEqual([]);
  });
});

const SAME_IN_BOTH = [
  'app.name',
  'path.ipv6',
  'member.timelineEntry',
  ...[1, 2, 3, 4].map((type) => `network.types.NAT${type}.name`),
  'network.ipv6',
  'settings.languageEn',
  'files.states.running',
];

/** Words between tags, and in attributes that people see or hear. */
function literalWords(text: string): string[] {
  const between = [...text.matchAll(/<\/?\w[^<>]*(?:"|\}|\w)>([^<>{}]*[\p{L}]{2,}[^<>{}]*)<\//gu)].map(
    ([, words]) => words ?? '',
  );
  const attributes = [
    ...text.matchAll(/\b(?:aria-label|title|alt|label|lead|hint|help|action|decline)="([^"]*\p{L}[^"]*)"/gu),
  ].map(([, words]) => words ?? '');
  return [...between, ...attributes];
}

describe('components', () => {
  it('hold no words of their own', () => {
    const found = code
      .filter(({ file }) => file.endsWith('.tsx'))
      .flatMap(({ file, text }) => literalWords(text).map((words) => `${file}: ${words}`));
    expect(found).toEqual([]);
  });

  it('would be caught with words of their own', () => {
    expect(literalWords('<p className="x">Hello you</p>')).toEqual(['Hello you']);
    expect(literalWords('<Button title="Close it" />')).toEqual(['Close it']);
    expect(literalWords("<p>{t('app.name')}</p>")).toEqual([]);
  });

  it('set no HTML and make no links of what strangers wrote', () => {
    const found = code.filter(({ text }) => /dangerouslySetInnerHTML|innerHTML|<a\s|window\.open|eval\(/.test(text));
    expect(found.map(({ file }) => file)).toEqual([]);
  });
});
