import { expect, it } from 'vitest';
import { openerFor } from '../../../../cli/ui/opener.ts';

const url = 'http://127.0.0.1:4000/#code=x';

it.for([
  ['a Linux desktop', { platform: 'linux', env: { DISPLAY: ':0' }, uid: 1000 }, 'xdg-open'],
  ['Wayland', { platform: 'linux', env: { WAYLAND_DISPLAY: 'wayland-0' }, uid: 1000 }, 'xdg-open'],
  ['a terminal without a screen', { platform: 'linux', env: {}, uid: 1000 }, null],
  ['root with a screen', { platform: 'linux', env: { DISPLAY: ':0' }, uid: 0 }, null],
  ['macOS', { platform: 'darwin', env: {}, uid: 501 }, 'open'],
  ['root on macOS', { platform: 'darwin', env: {}, uid: 0 }, null],
  ['Windows', { platform: 'win32', env: {}, uid: null }, 'cmd.exe'],
] as const)('on %s', ([, surroundings, command]) => {
  const opener = openerFor(url, surroundings);
  expect(opener?.command ?? null).toBe(command);
  if (opener !== null) expect(opener.args.at(-1)).toBe(url);
});
