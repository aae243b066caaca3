/** Network namespaces of the native tests: made here, removed here, with no route out. */
import { execFile, execFileSync, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const PREFIX = 'hx';
let counter = 0;

/** Why namespaces cannot be made here, or null. */
export function whyNoNamespaces(): string | null {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root';
  return null;
}

/** Why the lab cannot run with these programs, or null. */
export function whyNoLab(...programs: string[]): string | null {
  const reason = whyNoNamespaces();
  if (reason !== null) return reason;
  const missing = programs.filter((program) => !hasProgram(program));
  return missing.length === 0 ? null : `needs ${missing.join(', ')}`;
}

function hasProgram(program: string): boolean {
  try {
    execFileSync('which', [program], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export class Namespace {
  readonly name: string;
  readonly #children = new Set<ChildProcessWithoutNullStreams>();

  private constructor(name: string) {
    this.name = name;
  }

  static async create(): Promise<Namespace> {
    counter += 1;
    const namespace = new Namespace(`${PREFIX}-${process.pid}-${counter}`);
    await run('ip', ['netns', 'add', namespace.name]);
    await namespace.run('ip', 'link', 'set', 'lo', 'up');
    return namespace;
  }

  /** Connects two namespaces by a veth pair named after the far side's role. Addresses are CIDR strings. */
  static async connect(a: Namespace, aAddress: string, b: Namespace, bAddress: string): Promise<void> {
    await run('ip', ['-n', a.name, 'link', 'add', 'wan', 'type', 'veth', 'peer', 'name', 'wan', 'netns', b.name]);
    for (const [side, address] of [
      [a, aAddress],
      [b, bAddress],
    ] as const) {
      await side.run('ip', 'address', 'add', address, 'dev', 'wan');
      await side.run('ip', 'link', 'set', 'wan', 'up');
    }
  }

  /** Standard output of a program that ran in the namespace; rejects when it fails. */
  async run(program: string, ...args: string[]): Promise<string> {
    const { stdout } = await run('ip', ['netns', 'exec', this.name, program, ...args]);
    return stdout;
  }

  /** Starts a program in the namespace; it is ended with the namespace at the latest. */
  start(program: string, ...args: string[]): ChildProcessWithoutNullStreams {
    const child = spawn('ip', ['netns', 'exec', this.name, program, ...args]);
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return child;
  }

  /** Names of the interfaces but the loopback. */
  async interfaces(): Promise<string[]> {
    const links = JSON.parse(await this.run('ip', '-json', 'link')) as { ifname: string }[];
    return links.map((link) => link.ifname).filter((name) => name !== 'lo');
  }

  /** Ends what still runs, then the namespace. */
  async remove(): Promise<void> {
    await Promise.all([...this.#children].map(ended));
    await run('ip', ['netns', 'delete', this.name]);
  }
}

/** Kills a child and waits for its end. Idempotent. */
export async function ended(child: ChildProcessWithoutNullStreams): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exit;
}

/** Resolves once `condition` holds; rejects with `what` after `timeoutMs` (default 10 s). */
export async function until(
  what: string,
  condition: () => Promise<boolean> | boolean,
  timeoutMs = 10_000,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
