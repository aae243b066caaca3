import { describe, expect, it } from 'vitest';
import { trayIcon, type TrayEntry, trayModel } from '../../../electron/main/tray-model.ts';
import type { AppState } from '../../../protocol/face.ts';
import { app, joined } from '../../e2e/fixtures/sample.ts';
import { connecting, crowd, HOSTILE_TEXTS, lost, member, relayed } from '../../e2e/fixtures/members.ts';

const english = (state: AppState): AppState => ({ ...state, preferences: { ...state.preferences, language: 'en' } });
const texts = (menu: readonly TrayEntry[]): string[] =>
  menu.flatMap((entry) => (entry.kind === 'separator' ? [] : [entry.text]));
const room = (peers: Parameters<typeof joined>[0]) => english(joined(peers));

describe('the icon', () => {
  const connection = (state: AppState['connection']): AppState => app({ connection: state });

  it.for([
    ['no room', connection({ state: 'idle' }), 'off'],
    ['a room that is being left', connection({ state: 'stopping', room: 'r' }), 'off'],
    ['a connection that failed', connection({ state: 'failed', room: 'r', code: 'no-server', at: 0 }), 'off'],
    ['an engine that starts', connection({ state: 'starting', room: 'r' }), 'joining'],
    ['a server that is away', joined([member(1)], { state: 'reconnecting' }), 'joining'],
    ['a member over a relay', joined([member(1), relayed(2, 'hard-nat-pair')]), 'relayed'],
    ['a member without a path', joined([member(1), connecting(2)]), 'relayed'],
    ['only direct members', joined([member(1), member(2)]), 'direct'],
    ['nobody else', joined([]), 'direct'],
    ['a relayed member who is blocked', joined([relayed(1, 'no-answer', { blocked: true })]), 'direct'],
    ['a member who is lost', joined([member(1), lost(2)]), 'direct'],
  ] as const)('of %s', ([, state, icon]) => {
    expect(trayIcon(state)).toBe(icon);
  });
});

describe('the menu', () => {
  it('names the room, and each member with path and ping', () => {
    const direct = member(1, { nick: 'Ann' });
    const { menu, tooltip } = trayModel(room([direct, relayed(2, 'no-answer', { nick: 'Bo' })]));
    const ping = Math.round(direct.path?.rttMs ?? 0);
    expect(texts(menu)[0]).toBe(tooltip);
    expect(tooltip).toMatch(/^friday-night: 3 here, some over a relay$/);
    expect(texts(menu)).toContain(`Ann: direct, ${ping} ms`);
    expect(texts(menu).some((text) => text.startsWith('Bo: relayed, '))).toBe(true);
  });

  it('offers to leave a room, and to come back to the last one', () => {
    const leave = trayModel(room([])).menu.find((entry) => 'action' in entry && entry.action.type === 'toggle');
    expect(leave).toMatchObject({ kind: 'action', text: 'Disconnect' });
    const rooms: AppState['rooms'] = [{ name: 'lan', nick: 'n', server: { kind: 'automatic' }, lastUsed: 1 }];
    const back = trayModel(english(app({ rooms }))).menu;
    expect(texts(back)).toContain('Connect to lan');
    expect(texts(trayModel(english(app())).menu).some((text) => text.includes('onnect to'))).toBe(false);
  });

  it('turns a toggle the other way', () => {
    const state = room([]);
    const mapped = state.snapshot.settings.portMapping;
    const { menu } = trayModel(state);
    expect(menu).toContainEqual(
      expect.objectContaining({
        kind: 'check',
        on: mapped,
        action: { type: 'set', setting: 'port-mapping', on: !mapped },
      }),
    );
  });

  it('stays on the screen with sixty members', () => {
    const { menu } = trayModel(room(crowd(60)));
    expect(menu.length).toBeLessThan(30);
    expect(texts(menu).some((text) => /^and \d+ more$/.test(text))).toBe(true);
  });

  it.for(Object.entries(HOSTILE_TEXTS))('keeps a hostile nickname on its line: %s', ([, nick]) => {
    const shown = texts(trayModel(room([member(1, { nick })])).menu)[1] ?? '';
    expect(shown).not.toMatch(/[\p{Cc}\u202A-\u202E\u2066-\u2069\u200E\u200F]/u);
    expect(Array.from(shown).length).toBeLessThan(70);
  });

  it('speaks Chinese where the system or the person does', () => {
    const chosen = { ...joined([]), preferences: { ...app().preferences, language: 'zh-CN' as const } };
    expect(texts(trayModel(chosen).menu)).toContain('退出');
    const state = joined([]);
    const system = {
      ...state,
      preferences: { ...state.preferences, language: 'auto' as const },
      about: { ...state.about, locale: 'zh-Hans-CN' },
    };
    expect(texts(trayModel(system).menu)).toContain('退出');
  });
});
