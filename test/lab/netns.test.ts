/** That labs leave nothing behind, however their process ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import { Lab, sweepDeadRuns } from './netns.ts';
import { repositoryRoot } from './paths.ts';
import { describeLab } from './requirements.ts';

const compiled = join(repositoryRoot, 'build/test/lab/netns.js');

/** Another process with a lab of one namespace and one long-running program; its lines are that program's number. */
async function otherRun(): Promise<{ owner: ChildProcess; program: number; namespaces: () => string[] }> {
  const script = `
    import { Lab } from ${JSON.stringify(compiled)};
    const lab = Lab.open();
    const namespace = await lab.namespace('x');
    console.log(lab.spawn(namespace, ['sleep', '600']).pid);
    setInterval(() => {}, 1000);`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const program = await new Promise<number>((resolve, reject) => {
    createInterface({ input: owner.stdout }).once('line', (line) => resolve(Number(line)));
    owner.once('exit', (code) => reject(new Error(`the other run ended with ${code}; is the checkout built?`)));
  });
  const namespaces = (): string[] => readdirSync('/run/netns').filter((name) => name.startsWith(`wl${owner.pid}.`));
  return { owner, program, namespaces };
}

const ended = (child: ChildProcess): Promise<number | null> => new Promise((resolve) => child.once('exit', resolve));

/** A process that has ended but was not waited for yet counts as gone. */
function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}/exe`) && readdirSync(`/proc/${pid}/task`).length > 0;
}

describeLab('a lab', () => {
  it.for(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('is gone when its process ends by %s', async (signal) => {
    const { owner, program, namespaces } = await otherRun();
    expect(namespaces()).toHaveLength(1);
    const code = ended(owner);
    owner.kill(signal);
    expect(await code).toBeGreaterThan(128);
    expect(namespaces()).toEqual([]);
    await expect.poll(() => isRunning(program)).toBe(false);
  });

  it('is swept up by the next one when its process was killed', async () => {
    const { owner, program, namespaces } = await otherRun();
    const code = ended(owner);
    owner.kill('SIGKILL');
    await code;
    await expect.poll(() => isRunning(program)).toBe(false);
    expect(namespaces()).toHaveLength(1);
    const next = Lab.open();
    expect(namespaces()).toEqual([]);
    await next.close();
  });

  it('is left alone by others while its process lives', async () => {
    const lab = Lab.open();
    const namespace = await lab.namespace('mine');
    sweepDeadRuns();
    expect(existsSync(namespace.path)).toBe(true);
    await lab.close();
    await lab.close();
    expect(existsSync(namespace.path)).toBe(false);
  });

  it('reports a program’s exit code and output, and one that takes too long', async () => {
    const lab = Lab.open();
    const namespace = await lab.namespace('run');
    const result = await lab.run(namespace, ['sh', '-c', 'cat; echo oops >&2; exit 3'], { input: 'hello' });
    expect(result).toEqual({ code: 3, stdout: 'hello', stderr: 'oops\n' });
    await expect(lab.run(namespace, ['sleep', '60'], { timeoutMs: 100 })).rejects.toThrow('not done within 100 ms');
    const running = lab.spawn(namespace, ['sh', '-c', 'trap "exit 9" TERM; echo up; while :; do sleep 0.05; done']);
    await expect.poll(() => running.output).toBe('up\n');
    expect(await running.stop()).toBe(9);
    expect(await running.stop()).toBe(9);
    await lab.close();
  });
});
