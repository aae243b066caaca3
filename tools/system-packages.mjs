#!/usr/bin/env node
/**
 * The Debian packages that Warren builds and tests with, by purpose. Runs before `npm ci`, so it uses Node's built-ins only.
 *
 *     node tools/system-packages.mjs build|lab|fuzz|e2e
 *
 * Exits 0 when everything is there or could be installed (root on Debian), and 1 with one line that names what is missing.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** @returns {boolean} whether a program of this name is on the path or in an administrator's directory. */
function hasCommand(name) {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return directories.some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return directory !== '';
    } catch {
      return false;
    }
  });
}

/** @returns {boolean} whether clang 14's runtime libraries (sanitizers, libFuzzer) are installed. */
function hasClangRuntime() {
  const root = '/usr/lib/llvm-14/lib/clang';
  return existsSync(root) && readdirSync(root).some((version) => existsSync(join(root, version, 'lib/linux')));
}

/** Whether the dynamic loader's usual directories hold a library of this name. */
function hasLibrary(name) {
  const directories = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib'];
  return directories.some((directory) => existsSync(join(directory, name)));
}

const library = (name) => () => hasLibrary(name);
const command = (name) => () => hasCommand(name);

/** Package name to the sign of its presence: what is used of it, so that other distributions pass as well. */
export const groups = {
  build: {
    'g++': command('g++'),
    make: command('make'),
    python3: command('python3'),
    'libssl-dev': () => existsSync('/usr/include/openssl/evp.h'),
  },
  lab: {
    'g++': command('g++'),
    iproute2: command('ip'),
    nftables: command('nft'),
    'iputils-ping': command('ping'),
    'util-linux': command('setpriv'),
    'wireguard-go': command('wireguard-go'),
    'wireguard-tools': command('wg'),
    iperf3: command('iperf3'),
    tcpdump: command('tcpdump'),
    conntrack: command('conntrack'),
    nmap: command('nmap'),
    miniupnpd: command('miniupnpd'),
    tayga: command('tayga'),
    openttd: () => existsSync('/usr/games/openttd'),
    'openttd-opengfx': () => existsSync('/usr/share/games/openttd/baseset/opengfx'),
  },
  e2e: {
    chromium: command('chromium'),
    xvfb: command('Xvfb'),
    xauth: command('xauth'),
    'libcap2-bin': command('setcap'),
    'fonts-dejavu-core': () => existsSync('/usr/share/fonts/truetype/dejavu'),
    'fonts-noto-cjk': () => existsSync('/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc'),
    'fonts-noto-color-emoji': () => existsSync('/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf'),
    libasound2: library('libasound.so.2'),
    'libatk-bridge2.0-0': library('libatk-bridge-2.0.so.0'),
    'libatspi2.0-0': library('libatspi.so.0'),
    libcups2: library('libcups.so.2'),
    libdrm2: library('libdrm.so.2'),
    libgbm1: library('libgbm.so.1'),
    'libgtk-3-0': library('libgtk-3.so.0'),
    libnss3: library('libnss3.so'),
    libxcomposite1: library('libXcomposite.so.1'),
    libxdamage1: library('libXdamage.so.1'),
    libxkbcommon0: library('libxkbcommon.so.0'),
    libxrandr2: library('libXrandr.so.2'),
    'libdbus-1-3': library('libdbus-1.so.3'),
  },
  fuzz: { clang: command('clang'), 'libclang-rt-14-dev': hasClangRuntime },
};

/** @returns {string[]} names of the group's packages that are not there. */
export function missing(group) {
  const packages = groups[group];
  if (packages === undefined) throw new Error(`no such group: ${group} (one of ${Object.keys(groups).join(', ')})`);
  return Object.keys(packages).filter((name) => !packages[name]());
}

function install(names) {
  const options = { encoding: 'utf8', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
  const aptGet = (...argv) => spawnSync('apt-get', ['-qq', '-y', ...argv], options);
  const installNames = () => aptGet('install', '--no-install-recommends', ...names);
  // A fresh image has no package lists, an old one has stale ones; both are repaired by one update, which is slow and so comes second.
  if (installNames().status === 0) return;
  aptGet('update');
  installNames();
}

/**
 * Makes sure of a group of packages.
 * @returns {string | null} null when all are there, else one line that says what is missing and how to get it.
 */
export function ensure(group) {
  const absent = missing(group);
  if (absent.length === 0) return null;
  const canInstall = process.getuid?.() === 0 && existsSync('/etc/debian_version') && hasCommand('apt-get');
  if (canInstall) install(absent);
  const still = missing(group);
  if (still.length === 0) return null;
  return `missing for ${group}: ${still.join(' ')} (Debian: sudo apt-get install ${still.join(' ')})`;
}

if (process.argv[1] !== undefined && fileURLToPath(import.meta.url) === process.argv[1]) {
  const group = process.argv[2] ?? '';
  if (!Object.hasOwn(groups, group)) {
    console.error(`usage: system-packages.mjs ${Object.keys(groups).join('|')}`);
    process.exit(2);
  }
  const problem = ensure(group);
  if (problem !== null) {
    console.error(problem);
    process.exit(1);
  }
}
