/** What a page in the window cannot do, whoever wrote it. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Lab } from '../lab/netns.ts';
import { DesktopApp } from './electron.ts';
import { describeElectron } from './electron-runtime.ts';
import { VirtualScreen } from './xvfb.ts';

describeElectron('a page in the window', () => {
  let lab: Lab;
  let screen: VirtualScreen;
  let app: DesktopApp;

  beforeAll(async () => {
    lab = Lab.open();
    screen = await VirtualScreen.start();
    app = await DesktopApp.start({ namespace: await lab.namespace('desk'), display: screen.display });
  });

  afterAll(async () => {
    await app?.stop();
    await screen?.stop();
    await lab?.close();
  });

  it('has nothing of Node', async () => {
    const page = await app.page();
    const globals = await page.evaluate(() =>
      ['require', 'process', 'module', 'Buffer', 'global', 'electron'].map((name) => name in globalThis),
    );
    expect(globals).toEqual([false, false, false, false, false, false]);
  });
});
