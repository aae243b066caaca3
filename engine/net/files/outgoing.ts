/**
 * Files that this host offers. The receiver fetches over TCP through the tunnel:
 *
 * 1. It connects to the offer's port from its virtual address and says `warren-file 1 ID OFFSET`, one line.
 * 2. The bytes from there to the end follow.
 * 3. It says `ok` when the checksum holds, and both close. Any break is followed by step 1.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';

/** A receiver that says and takes nothing for so long is gone; a big file's checksum takes it minutes. */
const SILENCE_MS = 300_000;
const REQUEST = /^warren-file 1 ([0-9a-f]{32}) (\d{1,16})\n/;
const REQUEST_BYTES = 128;

export interface Source {
  id: string;
  path: string;
  size: number;
  mtimeMs: number;
}

/** Hex; rejects when the file cannot be read. `signal` ends it. */
export async function sha256Of(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { signal }), hash);
  return hash.digest('hex');
}

/** Whether the file is still the one that was offered. */
export async function isUnchanged({ path, size, mtimeMs }: Source): Promise<boolean> {
  const now = await stat(path).catch(() => null);
  return now !== null && now.isFile() && now.size === size && now.mtimeMs === mtimeMs;
}

export interface ServeOptions {
  /** This host's virtual address. */
  address: string;
  /** The file of this id, when it was offered to whoever has this address. */
  sourceOf(id: string, remoteAddress: string): Source | null;
  progress(id: string, done: number): void;
  /** The connection of this file ended; `complete`: the receiver has it and its checksum holds. */
  ended(id: string, end: 'complete' | 'broken' | 'changed'): void;
}

export interface FileServer {
  readonly port: number;
  close(): void;
}

export function serveFiles(options: ServeOptions): Promise<FileServer> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    void serve(socket, options);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, options.address, () => {
      const bound = server.address();
      resolve({
        port: typeof bound === 'object' && bound !== null ? bound.port : 0,
        close() {
          server.close();
          for (const socket of sockets) socket.destroy();
        },
      });
    });
  });
}

async function serve(socket: Socket, { sourceOf, progress, ended }: ServeOptions): Promise<void> {
  socket.on('error', () => {});
  socket.setTimeout(SILENCE_MS, () => socket.destroy());
  const line = await firstLine(socket);
  const [, id = '', from = ''] = REQUEST.exec(line) ?? [];
  const source = id === '' ? null : sourceOf(id, socket.remoteAddress ?? '');
  const offset = Number(from);
  if (source === null || offset > source.size) return void socket.destroy();
  if (!(await isUnchanged(source))) {
    socket.destroy();
    return ended(id, 'changed');
  }
  let heard = line.slice(line.indexOf('\n') + 1);
  socket.on('data', (bytes: Buffer) => (heard = (heard + bytes.toString('latin1')).slice(0, REQUEST_BYTES)));
  socket.resume();
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  let done = offset;
  progress(id, done);
  if (done < source.size) {
    const file = createReadStream(source.path, { start: offset, end: source.size - 1 });
    file.on('data', (bytes) => progress(id, (done += bytes.length)));
    await pipeline(file, socket, { end: false }).catch(() => socket.destroy());
  }
  await closed;
  ended(id, heard.startsWith('ok') ? 'complete' : 'broken');
}

/** At least up to the first line break, and the socket paused there; empty when there is none in time or length. */
function firstLine(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const take = (bytes: Buffer) => {
      text += bytes.toString('latin1');
      if (text.includes('\n') || text.length > REQUEST_BYTES) end(text);
    };
    const end = (result: string) => {
      socket.off('data', take);
      socket.pause();
      resolve(result);
    };
    socket.on('data', take);
    socket.once('close', () => end(''));
  });
}
