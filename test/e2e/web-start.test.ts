/** `npm start` where Electron does not come up: one line that says why, and the app in the browser. Without a network. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { firstLine } from '../lab/cli.ts';
import { Lab, type Namespace } from '../lab/netns.ts';
import { repositoryRoot } from '../lab/paths.ts';
import { buildRenderer } from './renderer-page.ts';
import { describeBrowserLab } from './requirements.ts';

describeBrowserLab('npm start', () => {
  let lab: Lab;
  let nowhere: Namespace;
  let directory: string;

  beforeAll(async () => {
    buildRenderer();
    lab = Lab.open();
    nowhere = await lab.namespace('nowhere');
  });
  afterAll(() => lab.close());
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'warren-start-'));
    return () => rm(directory, { recursive: true, force: true });
  });

  /** What it says, up to the address of the page, and how it ends when it is told to. */
  async function start(env: Record<string, string>): Promise<{ said: string; code: number }> {
    const script = join(repositoryRoot, 'tools/start.mjs');
    const argv = [process.execPath, script, '--no-open', '--state-dir', directory];
    const clean = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^(?:DISPLAY|WAYLAND_DISPLAY|ELECTRON_.*)$/.test(name)),
    );
    const npmStart = lab.spawn(nowhere, argv, { env: { ...clean, ...env } });
    await firstLine(npmStart, (line) => line.startsWith('Open Warren in your browser: http://127.0.0.1:'));
    return { said: npmStart.output, code: await npmStart.stop() };
  }

  it('says that there is no display', async () => {
    const { said, code } = await start({});
    expect(said).toContain('Warren opens as a page for your browser: there is no display here\n');
    expect(code).toBe(0);
  });

  it('says that Electron is not where it was said to be', async () => {
    const { said } = await start({ DISPLAY: ':99', ELECTRON_OVERRIDE_DIST_PATH: directory });
    expect(said).toContain('a page for your browser: ELECTRON_OVERRIDE_DIST_PATH has no electron\n');
  });

  it('goes on in the browser when Electron ends at once', async () => {
    const program = join(directory, 'electron');
    await writeFile(program, '#!/bin/sh\nexit 127\n');
    await chmod(program, 0o755);
    const { said } = await start({ DISPLAY: ':99', ELECTRON_OVERRIDE_DIST_PATH: directory });
    expect(said).toMatch(
      /opens as a desktop app: [^\n]*\n[^]*a page for your browser: Electron does not run here \(it ended with 127\)\n/,
    );
  });
});
