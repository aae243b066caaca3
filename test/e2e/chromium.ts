/** Debian's Chromium under Playwright, in this process's network or in a namespace; it reaches nothing but loopback addresses. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import type { Namespace } from '../lab/netns.ts';

const EXECUTABLE = '/usr/bin/chromium';
const START_TIMEOUT_MS = 60_000;

/** No other name resolves: no update check, no telemetry, whatever a test forgets. */
const NOWHERE = ['MAP * ~NOTFOUND', 'EXCLUDE localhost', 'EXCLUDE 127.0.0.1'];
const ARGUMENTS = [
  // The tests run as root in containers, where Chromium's own sandbox cannot.
  '--no-sandbox',
  // Text of both languages looks the same on every machine.
  '--font-render-hinting=none',
];

export interface ChromiumOptions {
  /** Where the browser runs; default: here. */
  readonly namespace?: Namespace;
  /** Names that lead to 127.0.0.1, as an attacker's DNS server may say. */
  readonly rebound?: readonly string[];
}

/** Starts a headless Chromium; the caller closes it. Contexts (size, language, theme) are the caller's as well. */
export async function launchChromium({ namespace, rebound = [] }: ChromiumOptions = {}): Promise<Browser> {
  if (namespace === undefined) return await launch(EXECUTABLE, rebound);
  // Playwright starts one program, so the namespace is entered by a script.
  const directory = await mkdtemp(join(tmpdir(), 'warren-chromium-'));
  const script = join(directory, 'chromium');
  await writeFile(
    script,
    `#!/bin/sh\nexec setpriv --pdeathsig KILL ip netns exec ${namespace.name} ${EXECUTABLE} "$@"\n`,
  );
  await chmod(script, 0o755);
  try {
    const browser = await launch(script, rebound);
    browser.once('disconnected', () => void rm(directory, { recursive: true, force: true }));
    return browser;
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

function launch(executablePath: string, rebound: readonly string[]): Promise<Browser> {
  const rules = [...rebound.map((name) => `MAP ${name} 127.0.0.1`), ...NOWHERE].join(', ');
  const args = [...ARGUMENTS, `--host-resolver-rules=${rules}`];
  return chromium.launch({ executablePath, args, timeout: START_TIMEOUT_MS });
}
