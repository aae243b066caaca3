/** Commands of the system, behind one function type, so that what is asked of them can be tested where they do not exist. */
import { execFile } from 'node:child_process';
import { win32 } from 'node:path';
import { promisify } from 'node:util';

/** Standard output. Rejects when the command ends with an error or takes too long. */
export type RunCommand = (file: string, argv: readonly string[]) => Promise<string>;

/** Windows PowerShell begins slowly on a machine that is busy. */
const COMMAND_MS = 15_000;

export const runCommand: RunCommand = async (file, argv) => {
  const { stdout } = await promisify(execFile)(file, [...argv], { timeout: COMMAND_MS, windowsHide: true });
  return stdout;
};

/** Runs a script in the PowerShell that comes with Windows, by its full path: no folder of PATH is trusted. */
export async function powershell(
  script: string,
  run: RunCommand,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  const system = env.SystemRoot ?? 'C:\\Windows';
  const file = win32.join(system, 'System32', 'WindowsPowerShell', 'v1.0', 'powershell.exe');
  // UTF-16 in base64 needs no quoting on the way through the command line.
  const encoded = Buffer.from(`$ErrorActionPreference = 'Stop'\n${script}`, 'utf16le').toString('base64');
  return await run(file, ['-NoLogo', '-NoProfile', '-NonInteractive', '-EncodedCommand', encoded]);
}

/** A literal: nothing in single quotes is expanded, and they are doubled inside; PowerShell takes typographic ones for them, too. */
export function literal(text: string): string {
  return `'${text.replace(/['\u2018-\u201b]/g, '$&$&')}'`;
}
