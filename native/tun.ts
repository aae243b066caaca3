/** Linux TUN interfaces: opened by this process where it may, by the privileged helper otherwise. */
import { fileURLToPath } from 'node:url';

import { loadAddon } from './addon.ts';
import { WireguardError } from './errors.ts';
import type { TunDevice, TunOptions, WireguardErrorCode } from './types.ts';

const DEFAULT_MTU = 1420;

/** What `openTun` of the addon resolves to. Its errors carry a `code` of `TunErrorCode`. */
interface NativeTun {
  readonly name: string;
  readonly fd: number;
  readonly mtu: number;
  readonly capture: number | null;
  configure(addresses: string[], routes: string[]): Promise<void>;
  close(): Promise<void>;
}

/** Absent where the addon was built for a system without TUN support. */
interface TunAddon {
  openTun?: (name: string, mtu: number, helperPath: string) => Promise<NativeTun>;
}

type TunErrorCode = Exclude<WireguardErrorCode, 'port-taken' | 'addon-missing'>;

/**
 * Opens a TUN interface that belongs to this process: it vanishes with `close` and with the end of the process. Its
 * `fd` stays the device's own; whoever reads from it must have stopped before `close`.
 *
 * @throws WireguardError `no-rights`, `name-taken`, `unsupported`, `invalid` or `helper-failed`
 */
export async function openTun(options: TunOptions = {}): Promise<TunDevice> {
  const addon = loadAddon() as TunAddon;
  const helperPath = options.helperPath ?? builtHelperPath();
  const { name = '', mtu = DEFAULT_MTU } = options;
  if (!addon.openTun) throw new WireguardError('unsupported', 'TUN interfaces exist on Linux only so far.');
  if (!Number.isSafeInteger(mtu) || mtu < 0) throw new WireguardError('invalid', `${mtu} is no MTU.`);
  try {
    return new SystemTun(await addon.openTun(name, mtu, helperPath));
  } catch (error) {
    throw explained(error, { name, helperPath });
  }
}

/** The helper that `node-gyp` put beside the addon; inside an Electron archive its real file lies outside. */
function builtHelperPath(): string {
  const root = import.meta.url.endsWith('.ts') ? './' : '../';
  return fileURLToPath(new URL(`${root}build/Release/warren-tun-helper`, import.meta.url)).replace(
    /\bapp\.asar\b/,
    'app.asar.unpacked',
  );
}

class SystemTun implements TunDevice {
  readonly kind = 'system';
  readonly name: string;
  readonly fd: number;
  readonly mtu: number;
  readonly capture: number | null;
  readonly #native: NativeTun;
  /** Calls reach the worker threads one after another, in the order they were made. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(native: NativeTun) {
    this.#native = native;
    this.name = native.name;
    this.fd = native.fd;
    this.mtu = native.mtu;
    this.capture = native.capture;
  }

  configure(config: { addresses: string[]; routes?: string[] }): Promise<void> {
    return this.#next(() => this.#native.configure([...config.addresses], [...(config.routes ?? [])]));
  }

  close(): Promise<void> {
    return this.#next(() => this.#native.close());
  }

  #next(call: () => Promise<void>): Promise<void> {
    const result = this.#last.then(call).catch((error: unknown) => {
      throw explained(error, { name: this.name, helperPath: '' });
    });
    this.#last = result.catch(() => undefined);
    return result;
  }
}

/** The addon's error in words that name the next step. */
function explained(error: unknown, about: { name: string; helperPath: string }): unknown {
  if (!(error instanceof Error) || !isTunErrorCode((error as { code?: unknown }).code)) return error;
  const code = (error as unknown as { code: TunErrorCode }).code;
  return new WireguardError(code, `${WORDS[code](about)} (${error.message})`, { cause: error });
}

const WORDS: Record<TunErrorCode, (about: { name: string; helperPath: string }) => string> = {
  'no-rights': ({ helperPath }) =>
    `Creating a network interface needs CAP_NET_ADMIN: run as root, or install the helper: sudo setcap cap_net_admin,cap_net_raw+ep ${helperPath}`,
  'name-taken': ({ name }) =>
    name === ''
      ? 'warren0 to warren99 all exist already.'
      : `An interface named ${name} exists already: choose another name.`,
  unsupported: () => 'This system gave no TUN interface: load its driver (modprobe tun) and allow /dev/net/tun.',
  invalid: ({ name }) =>
    `The interface${name === '' ? '' : ` ${name}`} was refused: a name, address or route is not allowed.`,
  closed: () => 'The interface is closed.',
  'helper-failed': () => 'The TUN helper gave no usable answer: reinstall it.',
};

function isTunErrorCode(code: unknown): code is TunErrorCode {
  return typeof code === 'string' && Object.hasOwn(WORDS, code);
}
