import { expect, it } from 'vitest';
import { autostartPath, desktopEntry } from '../../../electron/main/platform/desktop-entry.ts';

const execOf = (command: string[]) => /^Exec=(.*)$/m.exec(desktopEntry(command))?.[1];

it('starts the program with its arguments', () => {
  expect(desktopEntry(['/opt/Warren/warren', '--hidden'])).toMatch(/^\[Desktop Entry\]\nType=Application\n/);
  expect(execOf(['/opt/Warren/warren', '--hidden'])).toBe('"/opt/Warren/warren" "--hidden"');
});

it('quotes what the shell and the desktop would take for something else', () => {
  expect(execOf(['/home/a b/50%/$x', '"\\'])).toBe('"/home/a b/50%%/\\\\$x" "\\\\"\\\\\\\\"');
});

it('lies where the session looks', () => {
  expect(autostartPath({}, '/home/ann')).toBe('/home/ann/.config/autostart/warren.desktop');
  expect(autostartPath({ XDG_CONFIG_HOME: '/cfg' }, '/home/ann')).toBe('/cfg/autostart/warren.desktop');
  expect(autostartPath({ XDG_CONFIG_HOME: 'cfg' }, '/home/ann')).toBe('/home/ann/.config/autostart/warren.desktop');
});
