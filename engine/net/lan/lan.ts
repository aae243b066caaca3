/**
 * Discovery on the host: multicast memberships on the tunnel's interface (without one its system drops what members send to
 * the group), and probes that go the way of a game's packets, through the same sockets and the same system.
 */
import { randomBytes } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { PROBE_GROUP, PROBE_PORT } from '../../core/discovery/games.ts';
import type { Endpoint, LanPort, ProbeTimes } from '../../ports.ts';
import { systemClock } from '../clock.ts';
import { systemInterfaces } from '../interfaces/interfaces.ts';
import { openForwarder } from './forwarder.ts';

type Log = (level: 'debug' | 'info' | 'warn' | 'error', message: string) => void;

const QUESTION = 'warren?';
const ANSWER = 'warren!';
const NONCE_BYTES = 8;
/** Over a relay on the other side of the world, with a lost packet of its handshake. */
const PATIENCE_MS = 2_000;
/** Answers a second: a room of 250 may ask, a flood may not. */
const ANSWERS_A_SECOND = 50;

export function systemLan(log: Log): LanPort {
  return {
    join(groups, address) {
      const socket = openSocket(log);
      // Any port: the membership is the interface's, whichever socket asked for it.
      socket.bind({ port: 0, address, exclusive: true }, () => {
        for (const group of groups) join(socket, group, address, log);
      });
      return closeOnce(socket);
    },
    answerProbes(address, inRoom) {
      const socket = openSocket(log);
      const allowed = answerLimit();
      socket.on('message', (bytes, from) => {
        const text = bytes.toString('latin1');
        const question = bytes.length === QUESTION.length + 1 + NONCE_BYTES && text.startsWith(QUESTION);
        if (!question || from.address === address || !inRoom(from.address) || !allowed()) return;
        socket.send(Buffer.from(ANSWER + text.slice(QUESTION.length), 'latin1'), from.port, from.address);
      });
      socket.bind(PROBE_PORT, () => join(socket, PROBE_GROUP, address, log));
      return closeOnce(socket);
    },
    sayHere: (group, port, bytes, except) => {
      const addresses = ownAddresses().filter(({ ip }) => ip !== except);
      announce({ ip: group, port }, bytes, { from: addresses, ttl: 0, loop: true }, log);
    },
    sayAround: (group, port, bytes, except) => {
      const addresses = systemInterfaces({ exclude: [] }).addresses();
      const around = addresses.filter(({ ip, family, virtual }) => family === 4 && !virtual && ip !== except);
      announce({ ip: group, port }, bytes, { from: around, ttl: 1, loop: false }, log);
    },
    forward: openForwarder,
    probe: () => probe(log),
  };
}

/** With loopback, which `systemInterfaces` leaves out. */
function ownAddresses(): { ip: string }[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.filter(({ family }) => family === 'IPv4').map(({ address }) => ({ ip: address }));
}

interface Reach {
  from: readonly { ip: string }[];
  /** 0 stays on the host (RFC 1112, section 6.1), 1 in its networks. */
  ttl: 0 | 1;
  /** Whether this host hears it as well. */
  loop: boolean;
}

/** One socket an interface: which one a datagram leaves by is the socket's. */
function announce(to: Endpoint, bytes: Uint8Array, { from, ttl, loop }: Reach, log: Log): void {
  for (const { ip } of from) {
    const socket = openSocket(log);
    socket.bind({ port: 0, address: ip, exclusive: true }, () => {
      socket.setMulticastInterface(ip);
      socket.setMulticastTTL(ttl);
      socket.setMulticastLoopback(loop);
      socket.send(bytes, to.port, to.ip, (error) => {
        if (error) log('debug', `${to.ip} was not said on ${ip}: ${error.message}`);
        socket.close();
      });
    });
  }
}

async function probe(log: Log): Promise<ReadonlyMap<string, ProbeTimes>> {
  const found = new Map<string, ProbeTimes>();
  const nonce = randomBytes(NONCE_BYTES).toString('latin1');
  const socket = openSocket(log);
  const begun = systemClock.now();
  socket.on('message', (bytes: Buffer, from: RemoteInfo) => {
    const text = bytes.toString('latin1');
    const kind = text[ANSWER.length];
    if (!text.startsWith(ANSWER) || text.slice(ANSWER.length + 1) !== nonce) return;
    const times = found.get(from.address) ?? { broadcastMs: null, multicastMs: null };
    const ms = systemClock.now() - begun;
    if (kind === 'b') times.broadcastMs ??= ms;
    if (kind === 'm') times.multicastMs ??= ms;
    found.set(from.address, times);
  });
  await new Promise<void>((resolve) => {
    socket.bind(0, () => {
      socket.setBroadcast(true);
      const say = (kind: string, to: string) =>
        socket.send(Buffer.from(QUESTION + kind + nonce, 'latin1'), PROBE_PORT, to, (error) => {
          if (error) log('warn', `the probe to ${to} did not leave: ${error.message}`);
        });
      say('b', '255.255.255.255');
      say('m', PROBE_GROUP);
    });
    setTimeout(resolve, PATIENCE_MS);
  });
  socket.close();
  return found;
}

function openSocket(log: Log): Socket {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  socket.on('error', (error) => log('warn', `discovery: ${error.message}`));
  socket.unref();
  return socket;
}

function join(socket: Socket, group: string, address: string, log: Log): void {
  try {
    socket.addMembership(group, address);
  } catch (error) {
    log('warn', `cannot join ${group} on ${address}: ${(error as Error).message}`);
  }
}

function answerLimit(): () => boolean {
  let second = 0;
  let count = 0;
  return () => {
    const now = Math.floor(systemClock.now() / 1_000);
    count = now === second ? count + 1 : 1;
    second = now;
    return count <= ANSWERS_A_SECOND;
  };
}

function closeOnce(socket: Socket): () => void {
  let open = true;
  return () => {
    if (open) socket.close();
    open = false;
  };
}
