/**
 * A developer's lab: builds a topology, starts `warren serve` in it, and gives a shell behind one of its NATs.
 *
 *     npm run lab -- --nat port-restricted,symmetric-random [--in SITE] [--hosts N] [--ipv6] [--delays] [--run COMMAND]
 *
 * Everything is gone when the shell ends.
 */
import { spawnSync } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isCliBuilt, RendezvousServer } from './cli.ts';
import { type NatKind, natKinds } from './nats.ts';
import { repositoryRoot } from './paths.ts';
import { type Host, type Topology, startTopology } from './topology.ts';

const usage = `usage: npm run lab -- [options]
  --nat KIND[,KIND...]  a site for each (default port-restricted,symmetric-random)
                        ${natKinds.join(', ')}
  --in SITE             where the shell opens (default: the first site)
  --hosts N             hosts behind each NAT (default 1)
  --ipv6                gives every site IPv6 behind a firewall
  --delays              5 ms to the server and 10 ms to each site, one way
  --run COMMAND         runs this instead of an interactive shell`;

/** What went wrong in the words of the command line. */
class UsageError extends Error {}

async function main(): Promise<number> {
  const options = readOptions();
  checkMachine();
  const scratch = await mkdtemp(join(tmpdir(), 'warren-lab-shell-'));
  // Ctrl-C belongs to the shell, which is in the foreground.
  process.on('SIGINT', () => {});
  let topology: Topology | null = null;
  try {
    topology = await startTopology({
      sites: options.nats.map((nat) => ({ nat, hosts: options.hosts, ipv6: options.ipv6 ? 'firewalled' : false })),
      delays: options.delays ? { serverMs: 5, clientMs: 10 } : undefined,
    });
    const host = hostFor(topology, options.site);
    const server = isCliBuilt() ? await RendezvousServer.start(topology.lab, topology.server) : null;
    await writeTools(scratch, topology, host, server);
    if (options.run === null) console.log(describe(topology, host, server));
    return await shell(topology, host, scratch, options.run);
  } finally {
    await topology?.close();
    await rm(scratch, { recursive: true, force: true });
  }
}

interface ShellOptions {
  readonly nats: readonly NatKind[];
  readonly site: string | null;
  readonly hosts: number;
  readonly ipv6: boolean;
  readonly delays: boolean;
  readonly run: string | null;
}

function readOptions(): ShellOptions {
  const { values } = parseArgs({
    options: {
      nat: { type: 'string', default: 'port-restricted,symmetric-random' },
      in: { type: 'string' },
      hosts: { type: 'string', default: '1' },
      ipv6: { type: 'boolean', default: false },
      delays: { type: 'boolean', default: false },
      run: { type: 'string' },
    },
  });
  const nats = values.nat.split(',').map((name) => {
    const kind = natKinds.find((known) => known === name.trim());
    if (kind === undefined) throw new UsageError(`no such NAT: ${name}`);
    return kind;
  });
  const hosts = Number(values.hosts);
  if (!Number.isInteger(hosts) || hosts < 1 || hosts > 50) throw new UsageError('--hosts is a number from 1 to 50');
  const { ipv6, delays } = values;
  return { nats, hosts, ipv6, delays, site: values.in ?? null, run: values.run ?? null };
}

function checkMachine(): void {
  if (process.getuid?.() !== 0) throw new UsageError('the lab makes network namespaces: run it as root');
  const tools = spawnSync(process.execPath, [join(repositoryRoot, 'tools/system-packages.mjs'), 'lab'], {
    encoding: 'utf8',
  });
  if (tools.status !== 0) throw new UsageError(tools.stderr.trim());
}

function hostFor(topology: Topology, name: string | null): Host {
  const wanted = name ?? topology.hosts[0]?.name;
  const found =
    topology.hosts.find((host) => host.name === wanted) ??
    topology.sites.find((site) => site.name === wanted)?.hosts[0];
  if (found === undefined) {
    throw new UsageError(`no such site: ${name} (there are ${topology.hosts.map((host) => host.name).join(', ')})`);
  }
  return found;
}

/** `warren` and `at` for the shell's path: each namespace gets state of its own, as if it were another machine. */
async function writeTools(
  scratch: string,
  topology: Topology,
  host: Host,
  server: RendezvousServer | null,
): Promise<void> {
  const places = [{ name: 'server', namespace: topology.server.namespace }, ...topology.hosts];
  const cases = places.map(({ name, namespace }) => `  ${name}) namespace=${namespace.name} ;;`).join('\n');
  await writeTool(
    scratch,
    'at',
    `[ $# -ge 2 ] || { echo 'usage: at PLACE COMMAND...' >&2; exit 2; }
place=$1
shift
case $place in
${cases}
  *) echo "no such place: $place (${places.map(({ name }) => name).join(', ')})" >&2; exit 2 ;;
esac
export XDG_STATE_HOME=${scratch}/$place XDG_RUNTIME_DIR=${scratch}/$place WARREN_LAB_PLACE=$place
mkdir -p -m 700 "$XDG_STATE_HOME"
exec ip netns exec "$namespace" "$@"`,
  );
  await writeTool(scratch, 'warren', `exec ${process.execPath} ${join(repositoryRoot, 'cli/warren')} "$@"`);
  const url = server === null ? '' : `export WARREN_LAB_SERVER=${server.url}\n`;
  await writeFile(join(scratch, 'bashrc'), `${url}PS1='(lab) \${WARREN_LAB_PLACE:-${host.name}} \\w # '\n`);
}

async function writeTool(directory: string, name: string, body: string): Promise<void> {
  const path = join(directory, name);
  await writeFile(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, 0o755);
}

function describe(topology: Topology, host: Host, server: RendezvousServer | null): string {
  const { ipv4, alternateIpv4, ipv6 } = topology.server;
  const rows = topology.sites.flatMap((site) =>
    site.hosts.map((one) =>
      `  ${one.name.padEnd(24)} ${one.ipv4.padEnd(16)} seen as ${site.external}  ${one.ipv6 ?? ''}`.trimEnd(),
    ),
  );
  const serving =
    server === null
      ? 'The command is not built (npm run build), so no server runs.'
      : `warren serve listens on ${server.url}, STUN on ${server.stun}.`;
  return [
    `  ${'server'.padEnd(24)} ${ipv4}, ${alternateIpv4}, ${ipv6}`,
    ...rows,
    '',
    serving,
    `This shell is in ${host.name}. Elsewhere: at PLACE COMMAND (at ${topology.hosts.at(-1)?.name} bash). Try:`,
    '  warren netcheck --server $WARREN_LAB_SERVER',
    '  PASSWORD=warm-otter-beacon-42 warren up --room lab --password-env PASSWORD --server $WARREN_LAB_SERVER --create',
    'Nothing here reaches the outside. Leave with exit.',
    '',
  ].join('\n');
}

async function shell(topology: Topology, host: Host, scratch: string, run: string | null): Promise<number> {
  const bash = ['bash', '--rcfile', join(scratch, 'bashrc')];
  const argv = run === null ? [...bash, '-i'] : ['bash', '-c', `. ${join(scratch, 'bashrc')}; ${run}`];
  const started = topology.lab.spawn(host.namespace, [join(scratch, 'at'), host.name, ...argv], {
    stdio: 'inherit',
    env: { ...process.env, PATH: `${scratch}:${process.env.PATH}` },
  });
  return started.exited;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UsageError) && !(error instanceof TypeError && 'code' in error)) throw error;
  console.error(`${error.message}\n\n${usage}`);
  process.exitCode = 2;
}
