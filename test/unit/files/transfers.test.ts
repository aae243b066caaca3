/** Two ends over real sockets on loopback and real files; the room between them is a function call. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { filesStore } from '../../../engine/net/files/store.ts';
import { Transfers } from '../../../engine/net/files/transfers.ts';
import type { PeerMessage } from '../../../protocol/peer.ts';

type FileMessage = Extract<PeerMessage, { t: 'file-offer' | 'file-end' }>;

let folder: string;
const open: End[] = [];

/** One member: `heard` is what it would get from the other. */
class End {
  readonly transfers: Transfers;
  readonly sent: FileMessage[] = [];
  readonly holes = new Set<number>();
  readonly downloads: string;
  other: End | null = null;

  readonly nick: string;
  readonly address: string;

  constructor(nick: string, address: string) {
    this.nick = nick;
    this.address = address;
    this.downloads = join(folder, `${nick}-downloads`);
    const log = () => {};
    this.transfers = new Transfers({ folder: this.downloads, store: filesStore(join(folder, nick), 'room', log), log });
    open.push(this);
  }

  meet(other: End): void {
    this.other = other;
    this.transfers.start({
      send: (_peer, message) => {
        this.sent.push(message as FileMessage);
        queueMicrotask(() =>
          this.other?.transfers.message({ key: this.nick, nick: this.nick }, message as FileMessage),
        );
      },
      open: (_peer, port) => {
        this.holes.add(port);
        return () => this.holes.delete(port);
      },
      changed: () => {},
    });
    this.transfers.room({ ipv4: this.address, members: [{ key: other.nick, ipv4: other.address }] });
  }

  state(): string | undefined {
    return this.transfers.view()[0]?.state;
  }
}

// Loopback connects from 127.0.0.1 wherever to: both ends are there.
function pair(): [End, End] {
  const ends: [End, End] = [new End('ann', '127.0.0.1'), new End('bob', '127.0.0.1')];
  ends[0].meet(ends[1]);
  ends[1].meet(ends[0]);
  return ends;
}

function file(name: string, size: number): { path: string; bytes: Buffer } {
  const bytes = randomBytes(size);
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return { path, bytes };
}

const reaches = (end: End, state: string) => expect.poll(() => end.state(), { timeout: 20_000 }).toBe(state);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'warren-files-'));
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((end) => end.transfers.stop()));
  rmSync(folder, { recursive: true, force: true });
});

it.each([0, 1, 3_000_000])('%i bytes arrive whole, after a yes and not before', async (size) => {
  const [ann, bob] = pair();
  const { path, bytes } = file('map.w3x', size);
  const id = await ann.transfers.offer({ key: 'bob', nick: 'bob' }, path);
  await reaches(bob, 'offered');
  expect(() => statSync(bob.downloads)).toThrow();
  await bob.transfers.act(id, 'accept');
  await Promise.all([reaches(bob, 'done'), reaches(ann, 'done')]);
  expect(readFileSync(join(bob.downloads, 'map.w3x')).equals(bytes)).toBe(true);
  expect(statSync(join(bob.downloads, 'map.w3x')).mode & 0o077).toBe(0);
  expect(readdirSync(bob.downloads)).toEqual(['map.w3x']);
  expect(ann.holes.size).toBe(0);
});

it('a no is heard, and nothing is written', async () => {
  const [ann, bob] = pair();
  const id = await ann.transfers.offer({ key: 'bob', nick: 'bob' }, file('map.w3x', 10).path);
  await reaches(bob, 'offered');
  await bob.transfers.act(id, 'decline');
  await reaches(ann, 'declined');
  expect(() => statSync(bob.downloads)).toThrow();
});

it('a file that changed after it was offered is not sent', async () => {
  const [ann, bob] = pair();
  const { path } = file('map.w3x', 100);
  const id = await ann.transfers.offer({ key: 'bob', nick: 'bob' }, path);
  await reaches(bob, 'offered');
  writeFileSync(path, 'something else');
  await bob.transfers.act(id, 'accept');
  await reaches(ann, 'failed');
  expect(ann.transfers.view()[0]?.problem).toBe('changed');
});

it('another address, another id and an offset behind the end get nothing', async () => {
  const [ann, bob] = pair();
  const id = await ann.transfers.offer({ key: 'bob', nick: 'bob' }, file('secret', 100).path);
  await reaches(bob, 'offered');
  const offer = ann.sent.find((one) => one.t === 'file-offer');
  const port = offer?.t === 'file-offer' ? offer.port : 0;
  const ask = (line: string, localAddress = '127.0.0.1') =>
    new Promise<number>((resolve) => {
      let received = 0;
      const socket = connect({ host: '127.0.0.1', port, localAddress }, () => socket.write(line));
      socket.on('data', (bytes) => (received += bytes.length)).on('error', () => {});
      socket.on('close', () => resolve(received));
    });
  expect(await ask(`warren-file 1 ${id} 0\n`, '127.0.0.2')).toBe(0);
  expect(await ask(`warren-file 1 ${'0'.repeat(32)} 0\n`)).toBe(0);
  expect(await ask(`warren-file 1 ${id} 101\n`)).toBe(0);
  expect(await ask(`${'x'.repeat(1_000)}\n`)).toBe(0);
});

it('refuses a directory, a file that is not there, and a transfer that nobody knows', async () => {
  const [ann] = pair();
  const invalid = expect.objectContaining({ code: 'invalid' });
  await expect(ann.transfers.offer({ key: 'bob', nick: 'bob' }, folder)).rejects.toEqual(invalid);
  await expect(ann.transfers.offer({ key: 'bob', nick: 'bob' }, join(folder, 'no'))).rejects.toEqual(invalid);
  await expect(ann.transfers.act('abcd', 'accept')).rejects.toEqual(invalid);
});

it('of one member only so many offers wait', () => {
  const [, bob] = pair();
  for (let i = 0; i < 50; i++) {
    const id = i.toString(16).padStart(32, '0');
    bob.transfers.message(
      { key: 'ann', nick: 'ann' },
      { t: 'file-offer', id, name: 'x', size: 1, sha256: '0'.repeat(64), port: 9 },
    );
  }
  expect(bob.transfers.view()).toHaveLength(20);
});
