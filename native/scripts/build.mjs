/**
 * Builds the addon and the TUN helper: `node scripts/build.mjs [--force]`. The package's install script. Does nothing while
 * the sources are those of the last build. Downloads nothing but, as root on Debian, missing build packages.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const OUTPUT = join(ROOT, 'build/Release');
const STAMP = join(OUTPUT, '.sources');
const PRODUCTS = process.platform === 'linux' ? ['wireguard.node', 'warren-tun-helper'] : ['wireguard.node'];

function filesUnder(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .toSorted();
}

/** One hash over everything that the products are made of. */
function sourcesHash() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}`);
  hash.update(createRequire(import.meta.url)('node-addon-api').version);
  const files = [join(ROOT, 'binding.gyp'), ...filesUnder(join(ROOT, 'src')), ...filesUnder(join(ROOT, 'helper'))];
  for (const file of files) hash.update(`\0${file.slice(ROOT.length)}\0`).update(readFileSync(file));
  return hash.digest('hex');
}

function isFresh(hash) {
  const built = [STAMP, ...PRODUCTS.map((name) => join(OUTPUT, name))].every((path) => existsSync(path));
  return built && readFileSync(STAMP, 'utf8') === hash;
}

function succeeds(command, args, options = {}) {
  return spawnSync(command, args, { stdio: 'ignore', ...options }).status === 0;
}

/** Debian packages whose content is missing. */
function missingPackages() {
  const libcrypto = () =>
    succeeds('g++', ['-x', 'c++', '-', '-o', '/dev/null', '-l:libcrypto.a'], {
      stdio: ['pipe', 'ignore', 'ignore'],
      input: '#include <openssl/evp.h>\nint main() { return EVP_MD_CTX_new() == nullptr; }\n',
    });
  const missing = [];
  if (!succeeds('g++', ['--version'])) missing.push('g++');
  if (!succeeds('make', ['--version'])) missing.push('make');
  if (!succeeds('python3', ['--version'])) missing.push('python3');
  if (missing.includes('g++') || !libcrypto()) missing.push('libssl-dev');
  return missing;
}

function ensurePackages() {
  const missing = missingPackages();
  if (missing.length === 0) return;
  if (process.getuid?.() === 0 && existsSync('/etc/debian_version')) {
    const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
    const install = () => succeeds('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], options);
    if (install() || (succeeds('apt-get', ['update', '-qq'], options) && install())) return;
  }
  fail(`node-wireguard needs ${missing.join(', ')} to build: sudo apt-get install ${missing.join(' ')}`);
}

function fail(line) {
  console.error(line);
  process.exit(1);
}

/** node-gyp as npm brings it, as a command line. */
function nodeGyp() {
  const besideNode = join(dirname(realpathSync(process.execPath)), '../lib/node_modules/npm/node_modules/node-gyp');
  const candidates = [process.env.npm_config_node_gyp, join(besideNode, 'bin/node-gyp.js')];
  const found = candidates.find((path) => path && existsSync(path));
  return found ? [process.execPath, found] : ['npx', '--yes', 'node-gyp'];
}

/** Where Node's own headers lie; without them node-gyp looks for its own copy. */
function headerArguments() {
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  return existsSync(join(prefix, 'include/node/node_api.h')) ? [`--nodedir=${prefix}`] : [];
}

const hash = sourcesHash();
if (!process.argv.includes('--force') && isFresh(hash)) process.exit(0);
if (process.platform === 'linux') ensurePackages();

const [command, ...first] = nodeGyp();
const action = existsSync(join(ROOT, 'build/Makefile')) ? ['configure', 'build'] : ['rebuild'];
const result = spawnSync(command, [...first, ...action, '--release', '-j', 'max', ...headerArguments()], {
  cwd: ROOT,
  encoding: 'utf8',
});
if (result.status !== 0) fail(`${result.stdout ?? ''}${result.stderr ?? result.error}\nnode-wireguard did not build.`);
mkdirSync(OUTPUT, { recursive: true });
writeFileSync(STAMP, hash);
