/** Debian's Chromium under Playwright, in this process's network or in a namespace; it reaches nothing but loopback addresses. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import type { Namespace } from '../lab/netns.ts';

const EXECUTABLE = '/usr/bin/chromium';
const START_TIMEOUT_MS = 60_000;

const ARGUMENTS = [
  // The tests run as root in containers, where Chromium's own sandbox cannot.
  '--no-sandbox',
  // Names other than this machine's do not resolve: no update check, no telemetry, whatever a test forgets.
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
  // Text of both languages looks the same on every machine.
  '--font-render-hinting=none',
];

export interface ChromiumOptions {
  /** Where the browser runs; default: here. */
  readonly namespace?: Namespace;
}

/** Starts a headless Chromium; the caller closes it. Contexts (size, language, theme) are the caller's as well. */
export async function launchChromium({ namespace }: ChromiumOptions = {}): Promise<Browser> {
  if (namespace === undefined) return await launch(EXECUTABLE);
  // Playwright starts one program, so the namespace is entered by a script.
  const directory = await mkdtemp(join(tmpdir(), 'warren-chromium-'));
  const script = join(directory, 'chromium');
  await writeFile(
    script,
    `#!/bin/sh\nexec setpriv --pdeathsig KILL ip netns exec ${namespace.name} ${EXECUTABLE} "$@"\n`,
  );
  await chmod(script, 0o755);
  try {
    const browser = await launch(script);
    browser.once('disconnected', () => void rm(directory, { recursive: true, force: true }));
    return browser;
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

function launch(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: ARGUMENTS, timeout: START_TIMEOUT_MS });
}
