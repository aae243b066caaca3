/** Words of the tray and the notifications; the window has its own tables. */
import type { AppState } from '../../protocol/face.ts';

/** `{nick}`, `{room}`, `{count}` and `{ping}` are filled in by `say`. */
const en = {
  app: 'Warren',
  off: 'Not connected',
  failed: 'Could not connect to {room}',
  joining: 'Connecting to {room}…',
  alone: '{room}: nobody else is here yet',
  relayed: '{room}: {count} here, some over a relay',
  direct: '{room}: {count} here, all direct',
  memberDirect: '{nick}: direct, {ping}',
  memberRelayed: '{nick}: relayed, {ping}',
  memberConnecting: '{nick}: connecting',
  memberLost: '{nick}: lost',
  milliseconds: '{ping} ms',
  unmeasured: 'not measured yet',
  more: 'and {count} more',
  connect: 'Connect to {room}',
  disconnect: 'Disconnect',
  portMapping: 'Port mapping (UPnP, NAT-PMP, PCP)',
  hardNat: 'NAT4 punching',
  notifications: 'Notifications',
  show: 'Show Warren',
  quit: 'Quit',
  noticeJoined: '{nick} joined {room}',
  noticeLeft: '{nick} left {room}',
  noticeDirect: 'Direct connection with {nick}',
  noticeMany: '{count} changes in {room}',
};

export type Word = keyof typeof en;

const zhCn: Record<Word, string> = {
  app: 'Warren',
  off: '未连接',
  failed: '无法连接到 {room}',
  joining: '正在连接 {room}…',
  alone: '{room}：还没有其他人',
  relayed: '{room}：{count} 人在线，有人走中转',
  direct: '{room}：{count} 人在线，全部直连',
  memberDirect: '{nick}：直连，{ping}',
  memberRelayed: '{nick}：中转，{ping}',
  memberConnecting: '{nick}：连接中',
  memberLost: '{nick}：掉线',
  milliseconds: '{ping} 毫秒',
  unmeasured: '还没测出来',
  more: '还有 {count} 人',
  connect: '连接到 {room}',
  disconnect: '断开连接',
  portMapping: '端口映射（UPnP、NAT-PMP、PCP）',
  hardNat: 'NAT4 打洞',
  notifications: '通知',
  show: '显示 Warren',
  quit: '退出',
  noticeJoined: '{nick} 进了 {room}',
  noticeLeft: '{nick} 离开了 {room}',
  noticeDirect: '已与 {nick} 直连',
  noticeMany: '{room} 有 {count} 项变化',
};

export const WORDS = { en, 'zh-CN': zhCn } as const;
export type Language = keyof typeof WORDS;

/** The language that the person chose, or the system's; English where we have no other. */
export function languageOf({ preferences, about }: Pick<AppState, 'preferences' | 'about'>): Language {
  if (preferences.language !== 'auto') return preferences.language;
  return /^zh\b/i.test(about.locale) ? 'zh-CN' : 'en';
}

/** Values are put in as they are, also where they look like a placeholder. */
export function say(language: Language, word: Word, values: Record<string, string | number> = {}): string {
  return WORDS[language][word].replace(/\{(\w+)\}/g, (placeholder, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    return value === undefined ? placeholder : String(value);
  });
}

const SHOWN_CHARACTERS = 32;

/**
 * A nickname or room name, which strangers choose, for a place that shows one line: no control characters, no invisible ones
 * that reorder what stands around them, not longer than a line.
 */
export function oneLine(text: string): string {
  const visible = text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu, '').trim();
  const characters = Array.from(visible);
  if (characters.length <= SHOWN_CHARACTERS) return visible;
  return `${characters.slice(0, SHOWN_CHARACTERS - 1).join('')}…`;
}
