/** `warren netcheck`: the NAT report without a room. */
import { randomBytes } from 'node:crypto';
import { systemClock } from '../../engine/net/clock.ts';
import { resolveStun } from '../../engine/net/host.ts';
import { systemInterfaces } from '../../engine/net/interfaces/interfaces.ts';
import { systemNat64 } from '../../engine/net/interfaces/nat64.ts';
import { createPortMapper } from '../../engine/net/mapping/port-mapper.ts';
import { createRendezvous } from '../../engine/net/rendezvous/client.ts';
import { netcheck as measure } from '../../engine/netcheck.ts';
import type { Io } from '../io.ts';
import { loadNative } from '../native.ts';
import { renderNatCard } from '../view/nat-card.ts';
import { printable } from '../view/printable.ts';

export interface NetcheckArguments {
  server?: string[];
  stun?: string[];
  caFile?: string;
  portMapping: boolean;
  json?: boolean;
}

const KEY_BYTES = 32;

export async function netcheck(asked: NetcheckArguments, io: Io): Promise<number> {
  const signal = io.interrupted();
  const stun = await resolveStun(asked.stun ?? []);
  const { Device } = await loadNative();
  // No peer ever learns of this device: any key will do.
  const device = new Device({ privateKey: new Uint8Array(randomBytes(KEY_BYTES)), tun: { kind: 'memory' } });
  try {
    if (!asked.json && io.stdout.isTTY) io.err('measuring, a few seconds ...');
    const result = await measure(
      {
        clock: systemClock,
        random: (length) => new Uint8Array(randomBytes(length)),
        rendezvous: createRendezvous({ caFile: asked.caFile, nat64: systemNat64 }),
        nat64: systemNat64,
        mapping: asked.portMapping ? portMapper(io) : null,
        device,
      },
      {
        servers: asked.server ?? [],
        stun,
        addresses: systemInterfaces({ exclude: [] }).addresses(),
        signal,
      },
    );
    if (asked.json) io.out(JSON.stringify(result));
    else for (const line of renderNatCard(result, io.colour)) io.out(line);
    return 0;
  } finally {
    await device.close();
  }
}

/** Nothing is remembered: what is opened here is closed before the command ends. */
function portMapper(io: Io): ReturnType<typeof createPortMapper> {
  return createPortMapper({
    store: { load: () => [], save: () => {} },
    excludeInterfaces: [],
    log: (level, message) => {
      if (level === 'warn') io.err(printable(message));
    },
  });
}
