import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { Lab } from '../lab/netns.ts';
import { launchChromium } from './chromium.ts';
import { describeBrowser, describeBrowserLab } from './requirements.ts';

describeBrowser('Chromium', () => {
  it('opens a page of this machine, and finds no other', async () => {
    const server = createServer((_, response) => response.end('<h1>here</h1>'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      expect(await page.getByRole('heading').textContent()).toBe('here');
      await expect(page.goto('http://example.com/')).rejects.toThrow('ERR_NAME_NOT_RESOLVED');
    } finally {
      await browser.close();
      server.close();
    }
  });
});

describeBrowserLab('Chromium in a namespace', () => {
  it('sees the loopback of the namespace', async () => {
    const lab = Lab.open();
    try {
      const namespace = await lab.namespace('player');
      const source = `require('http').createServer((q, a) => a.end('<h1>inside</h1>')).listen(8080, '127.0.0.1', () => console.log('up'))`;
      const server = lab.spawn(namespace, [process.execPath, '-e', source]);
      await new Promise<void>((resolve) => server.child.stdout?.once('data', () => resolve()));
      const browser = await launchChromium({ namespace });
      try {
        const page = await browser.newPage();
        await page.goto('http://127.0.0.1:8080/');
        expect(await page.getByRole('heading').textContent()).toBe('inside');
      } finally {
        await browser.close();
      }
    } finally {
      await lab.close();
    }
  });
});
