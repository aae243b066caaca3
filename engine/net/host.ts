/** The engine on a real host: real sockets, TUN, worker, files and clock behind its ports. */
import { randomBytes } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { join } from 'node:path';
import { SETTING_KEYS } from '../../protocol/app.ts';
import { type ErrorCode, WarrenError } from '../../protocol/errors.ts';
import { TUN_MTU } from '../../protocol/limits.ts';
import type { Engine, UpOptions } from '../contract.ts';
import { roomTopic } from '../core/crypto/topic.ts';
import type { StunServer } from '../core/nat/contract.ts';
import { WARM_UPS } from '../core/room/warm-up.ts';
import { createEngine } from '../engine.ts';
import type { CryptoPort, DevicePort, FilesPort } from '../ports.ts';
import { systemClock } from './clock.ts';
import { createCryptoWorker } from './crypto-worker/crypto-worker.ts';
import { downloadsFolder } from './files/downloads.ts';
import { filesStore } from './files/store.ts';
import { Transfers } from './files/transfers.ts';
import { filterSettings } from './filter-settings.ts';
import { systemInterfaces } from './interfaces/interfaces.ts';
import { askedAtStart, systemNat64 } from './interfaces/nat64.ts';
import { systemTun } from './lan/broadcast-way.ts';
import { systemLan } from './lan/lan.ts';
import { createPortMapper } from './mapping/port-mapper.ts';
import { leaseStore } from './mapping/store.ts';
import { systemNames } from './names/names.ts';
import { systemPrimitives } from './primitives.ts';
import { createRendezvous } from './rendezvous/client.ts';
import { EarlyDials } from './rendezvous/early-dials.ts';
import { loadGames } from './state/games.ts';
import { machineKey, roomStore, saveSettings } from './state/stores.ts';

/** An open TUN interface, as `node-wireguard` gives it. */
export interface OpenTun {
  readonly kind: 'system';
  readonly name: string;
  readonly fd: number;
  readonly mtu: number;
  readonly capture: number | null;
  configure(config: { addresses: string[]; routes?: string[] }): Promise<void>;
  close(): Promise<void>;
}

/** What the host needs of `node-wireguard`; the faces pass the package in, since the engine knows no native code. */
export interface NativePort {
  Device: new (options: {
    privateKey: Uint8Array;
    tun: OpenTun | { kind: 'memory'; mtu?: number };
    udpPort?: number;
  }) => DevicePort;
  openTun(options: { name?: string; mtu?: number }): Promise<OpenTun>;
}

/**
 * Starts an engine in a room. Rejects with WarrenError: `no-rights`, `name-taken`, `port-taken`, `disk`, `invalid`,
 * `unsupported`; nothing is left behind then.
 */
export async function startEngine(options: UpOptions, native: NativePort): Promise<Engine> {
  const key = machineKey(options.stateDir);
  const store = roomStore(options.stateDir, roomTopic(options.room));
  if (options.password === null && store.load() === null)
    throw new WarrenError('invalid', 'this room was never joined from here: give its password');
  // All of this goes on while the interface opens.
  const early = options.early ?? new EarlyDials(options.servers);
  const nat64 = askedAtStart(systemNat64, systemClock);
  const crypto = options.crypto ?? createCryptoWorker();
  let tun: OpenTun | null = null;
  let device: DevicePort | null = null;
  try {
    const stun = await resolveStun(options.stun);
    tun = options.tun ? await openTun(native, options.interfaceName) : null;
    const engine = createEngine(
      {
        clock: systemClock,
        random: (length) => new Uint8Array(randomBytes(length)),
        rendezvous: createRendezvous({ caFile: options.caFile ?? undefined, nat64, early }),
        crypto,
        primitives: systemPrimitives,
        interfaces: systemInterfaces({ exclude: tun ? [tun.name] : [] }),
        mapping: createPortMapper({
          store: leaseStore(join(options.stateDir, 'port-mappings.json')),
          excludeInterfaces: tun ? [tun.name] : [],
          log: options.log,
        }),
        nat64,
        store,
        tun: systemTun(tun, options.log),
        lan: tun ? systemLan(options.log) : null,
        ...(tun && { names: systemNames(tun.name, (line) => options.log('debug', line)), files: transfers(options) }),
        createDevice: (privateKey) => {
          const tunOption = tun ?? ({ kind: 'memory', mtu: TUN_MTU } as const);
          const created = new native.Device({ privateKey, tun: tunOption, udpPort: options.udpPort });
          device = created;
          return created;
        },
        log: options.log,
      },
      {
        room: options.room,
        password: options.password,
        nick: options.nick,
        machineKey: key,
        servers: options.servers,
        create: options.create,
        ipv4: options.ipv4,
        stun,
        staticCandidates: [],
        games: loadGames(options.stateDir, options.log),
        settings: {
          portMapping: options.portMapping,
          hardNat: options.hardNat,
          relayOnly: options.relayOnly,
          discovery: options.discovery,
        },
        saveSetting: (setting, on) => {
          saveSettings(options.stateDir, { [SETTING_KEYS[setting]]: on });
        },
        filter: filterSettings(options.stateDir, options.policyFile),
      },
    );
    warmUp();
    return engine;
  } catch (error) {
    early.close();
    await undo(crypto, device, tun);
    throw asWarrenError(error);
  }
}

function transfers({ stateDir, room, downloadDir, log }: UpOptions): FilesPort {
  const say = (line: string) => log('warn', line);
  const store = filesStore(stateDir, roomTopic(room), say);
  return new Transfers({ folder: downloadDir ?? downloadsFolder(), store, log: say });
}

/** While the servers are being dialled; one step a turn, so that what arrives is not kept waiting. */
function warmUp(step = 0): void {
  setImmediate(() => {
    WARM_UPS[step]?.(systemPrimitives);
    if (step < WARM_UPS.length) warmUp(step + 1);
  });
}

async function undo(crypto: CryptoPort, device: DevicePort | null, tun: OpenTun | null): Promise<void> {
  crypto.close();
  await device?.close();
  await tun?.close();
}

async function openTun(native: NativePort, name: string | null): Promise<OpenTun> {
  try {
    return await native.openTun({ mtu: TUN_MTU, ...(name ? { name } : {}) });
  } catch (error) {
    throw asWarrenError(error);
  }
}

const NATIVE_CODES: Record<string, ErrorCode> = {
  'no-rights': 'no-rights',
  'helper-failed': 'no-rights',
  'name-taken': 'name-taken',
  'port-taken': 'port-taken',
  unsupported: 'unsupported',
  'addon-missing': 'unsupported',
  invalid: 'invalid',
};

/** An error of the native package, whose codes are ours by another name; others pass as they are. */
function asWarrenError(error: unknown): unknown {
  if (error instanceof WarrenError || !(error instanceof Error)) return error;
  const code = NATIVE_CODES[(error as Error & { code?: string }).code ?? ''];
  return code ? new WarrenError(code, error.message, { cause: error }) : error;
}

/** HOST:PORT of `--stun`, resolved once. Throws WarrenError('invalid') for a name that has no address. */
export async function resolveStun(servers: string[]): Promise<StunServer[]> {
  return await Promise.all(
    servers.map(async (server) => {
      const match = /^\[?([^\]]+?)\]?:(\d{1,5})$/.exec(server);
      const port = Number(match?.[2]);
      if (!match?.[1] || port < 1 || port > 65_535) throw new WarrenError('invalid', `${server} is not HOST:PORT`);
      const found = await lookup(match[1]).catch(() => null);
      if (found === null) throw new WarrenError('invalid', `${match[1]} has no address`);
      return { primary: { ip: found.address, port }, secondPort: null, alternate: null };
    }),
  );
}
