/** `npm start`: which face it opens, and what it says. */
import { expect, it } from 'vitest';
import { choose, type Surroundings } from '../../../../tools/start.mjs';

const desk: Surroundings = {
  platform: 'linux',
  env: { DISPLAY: ':0' },
  uid: 1000,
  electronPackage: '/app/node_modules/electron',
  exists: (path) => path === '/app/node_modules/electron/dist/electron',
};

it('opens Electron on a screen', () => {
  expect(choose(desk)).toEqual({
    face: 'electron',
    program: '/app/node_modules/electron/dist/electron',
    why: 'Electron',
  });
  expect(choose({ ...desk, env: { WAYLAND_DISPLAY: 'wayland-0' } }).face).toBe('electron');
});

it('says that root has no sandbox', () => {
  expect(choose({ ...desk, uid: 0 }).why).toContain('without its sandbox');
});

it('takes the Electron that it is told to take', () => {
  const told = { ...desk, env: { DISPLAY: ':0', ELECTRON_OVERRIDE_DIST_PATH: '/opt/electron' } };
  expect(choose({ ...told, exists: () => true })).toMatchObject({
    face: 'electron',
    program: '/opt/electron/electron',
  });
  expect(choose(told)).toMatchObject({ face: 'browser', why: 'ELECTRON_OVERRIDE_DIST_PATH has no electron' });
});

it('leaves an Electron that is not there to its download', () => {
  expect(choose({ ...desk, exists: () => false }).face).toBe('missing');
});

it('opens the browser where there is no display, without looking for Electron', () => {
  const exists = () => {
    throw new Error('looked');
  };
  expect(choose({ ...desk, env: {}, exists })).toEqual({ face: 'browser', why: 'there is no display here' });
});

it('needs no DISPLAY on Windows and macOS', () => {
  const windows = choose({ ...desk, platform: 'win32', env: {}, exists: (path) => path.endsWith('electron.exe') });
  expect(windows.face).toBe('electron');
  expect(choose({ ...desk, platform: 'darwin', env: {}, exists: () => true }).face).toBe('electron');
});
