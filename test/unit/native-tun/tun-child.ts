/** A process that opens TUN interfaces as told on standard input, one JSON line a command. */
import { readSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { openTun, type TunDevice, type TunOptions, WireguardError } from 'node-wireguard';

export type Command =
  | { do: 'open'; options: TunOptions }
  | { do: 'configure'; addresses: string[]; routes: string[] }
  /** The next captured packet. */
  | { do: 'captured' }
  | { do: 'close' };
/** `packet`: hexadecimal; null when none waits. */
export type Answer = { name?: string; mtu?: number; packet?: string | null; error?: string; message?: string };

let tun: TunDevice | null = null;

async function carryOut(command: Command): Promise<Answer> {
  if (command.do === 'open') {
    tun = await openTun(command.options);
    return { name: tun.name, mtu: tun.mtu };
  }
  if (command.do === 'captured') return { packet: captured() };
  if (command.do === 'configure') await tun?.configure(command);
  else await tun?.close();
  return {};
}

function captured(): string | null {
  if (tun === null || tun.capture === null) throw new Error('no capture');
  const bytes = Buffer.alloc(2_048);
  try {
    return bytes.subarray(0, readSync(tun.capture, bytes)).toString('hex');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return null;
    throw error;
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await carryOut(JSON.parse(line) as Command).catch((error: unknown) =>
    error instanceof WireguardError ? { error: error.code, message: error.message } : { error: String(error) },
  );
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
