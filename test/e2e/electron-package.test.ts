/** The packed app, as a person gets it: `npm run pack`, then its own program. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FuseV1Options, getCurrentFuseWire } from '@electron/fuses';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RendezvousServer } from '../lab/cli.ts';
import { LabProcess } from '../lab/netns.ts';
import { repositoryRoot } from '../lab/paths.ts';
import { startTopology, type Topology } from '../lab/topology.ts';
import { until } from '../until.ts';
import { interfacesOf } from './electron.ts';
import { describeElectron, electronFolder } from './electron-runtime.ts';
import { Screens } from './screens.ts';
import { VirtualScreen } from './xvfb.ts';

const PACKAGE = join(repositoryRoot, 'build/package/linux-unpacked');
const RESOURCES = join(PACKAGE, 'resources');
const PROGRAM = join(PACKAGE, 'warren');
const HELPER = join(RESOURCES, 'app.asar.unpacked/native/build/Release/warren-tun-helper');
const LAUNCHER = join(repositoryRoot, 'test/e2e/electron-launcher.mjs');
const ROOM = 'packed';
const NOBODY = 65_534;
/** How Electron's program writes a switch. */
const OFF = '0';
const ON = '1';

/** Its switches forbid Node's debugger, which Playwright starts an Electron with, so it is reached as a browser is. */
async function connect(app: LabProcess): Promise<Browser> {
  const address = () => /DevTools listening on (ws:\S+)/.exec(app.output)?.[1];
  await until('the app listens', () => address() !== undefined || !app.running, 60_000);
  const url = address();
  if (url === undefined) throw new Error(`the packed app ended:\n${app.output}`);
  return await chromium.connectOverCDP(url, { noDefaults: true });
}

describeElectron('the packed app', () => {
  let topology: Topology;
  let screen: VirtualScreen;

  beforeAll(async () => {
    execFileSync('node', ['tools/pack.mjs'], {
      cwd: repositoryRoot,
      env: { ...process.env, ELECTRON_OVERRIDE_DIST_PATH: electronFolder() },
      stdio: 'pipe',
    });
    topology = await startTopology({ sites: [{ name: 'desk', nat: 'port-restricted' }] });
    screen = await VirtualScreen.start();
  }, 240_000);

  afterAll(async () => {
    await screen?.stop();
    await topology?.close();
  });

  it('holds one archive, and beside it only what the system must find as a file', () => {
    expect(readdirSync(RESOURCES).toSorted()).toEqual(['app.asar', 'app.asar.unpacked']);
    expect(readdirSync(join(RESOURCES, 'app.asar.unpacked/native/build/Release')).toSorted()).toEqual([
      'warren-tun-helper',
      'wireguard.node',
    ]);
    expect(existsSync(join(RESOURCES, 'app.asar.unpacked/node_modules'))).toBe(false);
  });

  it('has its switches off', async () => {
    const wire = (await getCurrentFuseWire(PROGRAM)) as unknown as Record<FuseV1Options, number>;
    const state = (option: FuseV1Options) => String.fromCharCode(wire[option]);
    expect(state(FuseV1Options.RunAsNode)).toBe(OFF);
    expect(state(FuseV1Options.EnableNodeOptionsEnvironmentVariable)).toBe(OFF);
    expect(state(FuseV1Options.EnableNodeCliInspectArguments)).toBe(OFF);
    expect(state(FuseV1Options.OnlyLoadAppFromAsar)).toBe(ON);
    expect(state(FuseV1Options.EnableCookieEncryption)).toBe(ON);
  });

  /** Starts the program, makes a room in it, calls back with the interface (or what went wrong), and quits. */
  async function inRoom(as: readonly string[], look: (interfaceName: string, page: Page) => Promise<void>) {
    const { namespace } = topology.site('desk').hosts[0]!;
    const server = await RendezvousServer.start(topology.lab, topology.server);
    const folder = await mkdtemp(join(tmpdir(), 'warren-packed-'));
    await chmod(folder, 0o777);
    const argv = [LAUNCHER, namespace.name, ...as, PROGRAM, '--remote-debugging-port=0', `--state-dir=${folder}/state`];
    const app = new LabProcess(
      spawn(process.execPath, as.length === 0 ? [...argv, '--no-sandbox'] : argv, {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, DISPLAY: screen.display, HOME: folder, DBUS_SESSION_BUS_ADDRESS: 'disabled:' },
      }),
      argv,
    );
    try {
      const browser = await connect(app);
      const context = browser.contexts()[0]!;
      const page = context.pages()[0] ?? (await context.waitForEvent('page'));
      await new Screens(page).outside();
      const made = await page.evaluate(makeRoom, server.url);
      expect(interfacesOf(namespace)).toContain(made);
      await look(made, page);
      await page.evaluate(() => void window.warren.command({ type: 'quit' }));
      expect(await app.exited).toBe(0);
      expect(interfacesOf(namespace)).not.toContain(made);
    } finally {
      await app.stop();
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    }
  }

  it('shows its first screen, and makes a room with an interface of its own', async () => {
    await inRoom([], async (_made, page) => {
      expect(page.url()).toBe('app://warren/index.html');
      await new Screens(page).inRoom(ROOM);
    });
  });

  it('makes the interface through its helper for a user of the group, who has no right to', async () => {
    // What the package's script does after installation, with a group that everywhere exists.
    execFileSync('chown', [`root:${NOBODY}`, HELPER]);
    execFileSync('chmod', ['0750', HELPER]);
    execFileSync('setcap', ['cap_net_admin,cap_net_raw+ep', HELPER]);
    // Desktops let everybody open the driver's device; here it is put in place for this program alone.
    const device = 'mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 && exec "$@"';
    const user = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
    await inRoom(['sh', '-c', device, 'sh', ...user], async (made) => {
      expect(made).toMatch(/^warren\d*$/);
    });
  });
});

/** Runs in the page. Resolves with the name of the interface, or the code of a failure. */
async function makeRoom(url: string): Promise<string> {
  await window.warren.command({
    type: 'join',
    room: 'packed',
    password: 'warm-otter-beacon-42',
    nick: 'desk',
    server: { kind: 'address', urls: [url] },
    create: true,
  });
  return await new Promise<string>((resolve) => {
    window.warren.subscribe(({ snapshot, connection }) => {
      if (connection?.state === 'failed') resolve(connection.code);
      if (snapshot?.state === 'joined' && snapshot.self?.ipv4) resolve(snapshot.self.interface ?? 'none');
    });
  });
}
