import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { repositoryRoot } from './paths.ts';
import { describeLab } from './requirements.ts';

function labShell(...argv: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [join(repositoryRoot, 'build/test/lab/shell.js'), ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })));
}

describeLab('the lab shell', () => {
  it('opens behind the chosen NAT, reaches the server there, and passes the exit code on', async () => {
    const run = 'ip -o address; warren netcheck --json --server $WARREN_LAB_SERVER; at public hostname -I; exit 7';
    const { code, output } = await labShell('--nat', 'public,port-restricted', '--in', 'port-restricted', '--run', run);
    expect(code, output).toBe(7);
    expect(output).toContain('192.168.2.10/24');
    expect(output).toContain('"filtering":"address-and-port-dependent"');
    expect(output).toContain('203.0.113.10');
  });

  it('names the kinds of NAT when asked for another', async () => {
    const { code, output } = await labShell('--nat', 'conical');
    expect(code).toBe(2);
    expect(output).toMatch(/no such NAT: conical[^]*symmetric-sequential/);
  });
});
