/**
 * Network namespaces for tests. Every namespace and process belongs to a `Lab`; closing it, or the end of this process in any way
 * that can be noticed, removes them all. What a SIGKILL leaves behind, the next lab sweeps up.
 *
 * A namespace has a loopback interface and what a test adds: no route leads out of the lab.
 */
import { type ChildProcess, type SpawnOptions, execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';

const registryDirectory = '/run/netns';
const prefix = 'wl';
const stopGraceMs = 5_000;

/** A named network namespace; `path` is what `setns` takes. */
export interface Namespace {
  readonly name: string;
  readonly path: string;
}

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Environment on top of this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** The program is killed and the promise rejects after this time. Default 60,000. */
  readonly timeoutMs?: number;
  readonly input?: string;
}

/** A process that runs inside a namespace, with its output so far. */
export class LabProcess {
  readonly child: ChildProcess;
  readonly argv: readonly string[];
  /** Resolves when the process has ended: its exit code, or 128 for one that a signal ended. */
  readonly exited: Promise<number>;
  #output = '';
  #errors = '';

  constructor(child: ChildProcess, argv: readonly string[]) {
    this.child = child;
    this.argv = argv;
    this.exited = new Promise((resolve) => {
      child.once('error', () => resolve(127));
      child.once('close', (code) => resolve(code ?? 128));
    });
    child.stdout?.on('data', (chunk: Buffer) => {
      this.#output = keep(this.#output, chunk);
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#output = keep(this.#output, chunk);
      this.#errors = keep(this.#errors, chunk);
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null && this.child.pid !== undefined;
  }

  /** Standard output and error, as they came (the last million characters). */
  get output(): string {
    return this.#output;
  }

  /** Standard error alone. */
  get errors(): string {
    return this.#errors;
  }

  /** Asks the process to end, insists after five seconds, and resolves with its exit code. May be called twice. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    if (this.running) this.child.kill(signal);
    const insist = setTimeout(() => this.child.kill('SIGKILL'), stopGraceMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(insist);
    }
  }
}

const keep = (soFar: string, chunk: Buffer): string => (soFar + chunk.toString()).slice(-1_000_000);

/** Everything one test run makes. */
export class Lab {
  readonly #tag: string;
  readonly #namespaces = new Map<string, Namespace>();
  readonly #processes = new Set<LabProcess>();
  #closed = false;

  private constructor(tag: string) {
    this.#tag = tag;
  }

  /** Opens a lab and removes the namespaces of dead ones. Needs root. */
  static open(): Lab {
    sweepDeadRuns();
    const lab = new Lab(nextTag());
    openLabs.add(lab);
    installExitHooks();
    return lab;
  }

  /** Creates namespaces by label (letters, digits, dashes), in one go. */
  async namespaces(labels: readonly string[]): Promise<Namespace[]> {
    const created = labels.map((label) => {
      const name = `${this.#tag}-${label}`;
      const namespace = { name, path: `${registryDirectory}/${name}` };
      // Registered before it exists: a run that is interrupted halfway still removes it.
      this.#namespaces.set(name, namespace);
      return namespace;
    });
    await this.script(created.map(({ name }) => `ip netns add ${name}\n${namespaceDefaults(name)}`).join('\n'));
    return created;
  }

  async namespace(label: string): Promise<Namespace> {
    const [namespace] = await this.namespaces([label]);
    return namespace as Namespace;
  }

  /** Runs a shell script in this process's own namespace, to set several namespaces up with one process. Rejects on failure. */
  async script(text: string): Promise<void> {
    await collect('sh', ['-e', '-c', text], { timeoutMs: 60_000 }, true);
  }

  /** Runs a program inside a namespace to its end. Rejects only when it takes too long. */
  run(namespace: Namespace, argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return collect('ip', ['netns', 'exec', namespace.name, ...argv], options, false);
  }

  /** Starts a program inside a namespace. It dies with this process, whatever ends it. */
  spawn(namespace: Namespace, argv: readonly string[], options: SpawnOptions = {}): LabProcess {
    const inside = ['--pdeathsig', 'KILL', 'ip', 'netns', 'exec', namespace.name, ...argv];
    const child = spawn('setpriv', inside, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    const started = new LabProcess(child, argv);
    this.#processes.add(started);
    void started.exited.then(() => this.#processes.delete(started));
    return started;
  }

  /** Stops every process and removes every namespace. May be called twice. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([...this.#processes].map((running) => running.stop()));
    this.#removeNamespaces();
    openLabs.delete(this);
  }

  /** The same without waiting, for the moment when this process ends. */
  closeNow(): void {
    this.#closed = true;
    for (const running of this.#processes) running.child.kill('SIGKILL');
    this.#removeNamespaces();
    openLabs.delete(this);
  }

  #removeNamespaces(): void {
    for (const { name } of this.#namespaces.values()) removeNamespace(name);
    this.#namespaces.clear();
  }
}

/** No forwarding, no reverse-path filter (the tests' routes are asymmetric on purpose), addresses usable at once. */
function namespaceDefaults(name: string): string {
  const settings = [
    'net.ipv4.ip_forward=0',
    'net.ipv4.conf.all.rp_filter=0',
    'net.ipv4.conf.default.rp_filter=0',
    'net.ipv6.conf.all.forwarding=0',
    'net.ipv6.conf.all.accept_ra=0',
    'net.ipv6.conf.default.accept_ra=0',
    'net.ipv6.conf.all.accept_dad=0',
    'net.ipv6.conf.default.accept_dad=0',
  ];
  return `ip netns exec ${name} sysctl -q -w ${settings.join(' ')}\nip -n ${name} link set lo up`;
}

function collect(file: string, argv: string[], options: RunOptions, mustSucceed: boolean): Promise<RunResult> {
  const { timeoutMs = 60_000, env, input } = options;
  return new Promise((resolve, reject) => {
    const child = execFile(
      file,
      argv,
      { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 16 * 1024 * 1024, env: { ...process.env, ...env } },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 128;
        if (error?.killed) reject(new Error(`${argv.join(' ')}: not done within ${timeoutMs} ms\n${stdout}${stderr}`));
        else if (mustSucceed && code !== 0) reject(new Error(`${file} failed (${code}): ${stderr || stdout}`));
        else resolve({ code, stdout, stderr });
      },
    );
    child.stdin?.on('error', () => {}); // a program that ends without reading its input is not our failure
    child.stdin?.end(input ?? '');
  });
}

let labsOpened = 0;

/** Names a run by its process and that process's start, because process numbers come again: `wl<pid>.<start>.<n>`. */
function nextTag(): string {
  labsOpened += 1;
  return `${prefix}${process.pid}.${processStart(process.pid) ?? '0'}.${labsOpened}`;
}

/** Start of a process in clock ticks since boot (proc(5), field 22 of stat), or null when there is no such process. */
function processStart(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

/** Removes the namespaces of runs whose process is gone, and ends what still runs inside them. */
export function sweepDeadRuns(): void {
  if (!existsSync(registryDirectory)) return;
  for (const name of readdirSync(registryDirectory)) {
    const match = /^wl(\d+)\.(\d+)\./.exec(name);
    if (match === null || processStart(Number(match[1])) === match[2]) continue;
    const { stdout } = spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' });
    for (const pid of (stdout ?? '').split('\n').filter(Boolean)) killQuietly(Number(pid));
    removeNamespace(name);
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself between the listing and now.
  }
}

function removeNamespace(name: string): void {
  if (existsSync(`${registryDirectory}/${name}`)) spawnSync('ip', ['netns', 'delete', name]);
}

const openLabs = new Set<Lab>();
let hooksInstalled = false;

function closeAllLabs(): void {
  for (const lab of openLabs) lab.closeNow();
}

/** A program that handles a signal itself is left to do so: what it forgets goes when it exits. */
function installExitHooks(): void {
  if (hooksInstalled) return;
  hooksInstalled = true;
  process.once('exit', closeAllLabs);
  const signals = [
    ['SIGINT', 2],
    ['SIGTERM', 15],
    ['SIGHUP', 1],
  ] as const;
  for (const [signal, number] of signals) {
    process.on(signal, () => {
      if (process.listenerCount(signal) > 1) return;
      closeAllLabs();
      process.exit(128 + number);
    });
  }
}
