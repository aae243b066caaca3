/**
 * Files between members on a real host. Nothing is received that was not accepted here.
 *
 * out  `offer` hashes the file, then says so to the member again and again; `outgoing.ts` serves it to that member alone.
 * in   a member's offer waits for a yes; then `incoming.ts` fetches it until it is whole.
 *
 * Both survive a restart of either end: what is under way is kept in files.json, the bytes in a part file in the downloads.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, rm, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { WarrenError } from '../../../protocol/errors.ts';
import type { FileAction, FileTransfer } from '../../../protocol/files.ts';
import type { PeerMessage } from '../../../protocol/peer.ts';
import type { FilesHooks, FilesPort, FilesRoom } from '../../ports.ts';
import { safeFileName } from './file-names.ts';
import { fetchFile } from './incoming.ts';
import { type FileServer, isUnchanged, serveFiles, sha256Of } from './outgoing.ts';
import type { FilesStore, KeptFile } from './store.ts';

/** Signals may be lost and members restart: often enough to go on soon. */
const OFFER_AGAIN_MS = 5_000;
/** Offers of one member that wait for a yes. */
const OFFERS_A_MEMBER = 20;
const LISTED = 200;

type Offer = Extract<PeerMessage, { t: 'file-offer' }>;
const ENDED: readonly FileTransfer['state'][] = ['done', 'failed', 'declined', 'cancelled'];

interface Item extends KeptFile {
  view: FileTransfer;
  /** Out: in the engine's run. */
  stop: AbortController;
  /** In: where the sender serves, and who waits for news of it. */
  port: number | null;
  wake: (() => void)[];
  closeHole: (() => void) | null;
}

export interface TransfersOptions {
  folder: string;
  store: FilesStore;
  log(line: string): void;
}

export class Transfers implements FilesPort {
  readonly #options: TransfersOptions;
  readonly #items = new Map<string, Item>();
  #hooks: FilesHooks | null = null;
  #room: FilesRoom = { ipv4: null, members: [] };
  #server: Promise<FileServer> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(options: TransfersOptions) {
    this.#options = options;
    for (const kept of options.store.load()) this.#add(kept, kept.direction === 'out' ? 'offered' : 'waiting');
  }

  start(hooks: FilesHooks): void {
    this.#hooks = hooks;
    this.#timer = setInterval(() => this.#again(), OFFER_AGAIN_MS);
    this.#timer.unref();
    for (const item of this.#items.values()) if (item.direction === 'in') void this.#fetch(item);
  }

  view(): FileTransfer[] {
    return [...this.#items.values()].map(({ view }) => view);
  }

  room(room: FilesRoom): void {
    const before = this.#room;
    this.#room = room;
    if (room.ipv4 !== before.ipv4) this.#closeServer();
    const came = room.members.some(({ key }) => !before.members.some((one) => one.key === key));
    if (came || room.ipv4 !== before.ipv4) this.#again();
  }

  async offer(member: { key: string; nick: string }, path: string): Promise<string> {
    const full = resolve(path);
    const found = await stat(full).catch(() => null);
    if (!found?.isFile()) throw new WarrenError('invalid', `${path} is no file that can be read`);
    const kept: KeptFile = {
      id: randomBytes(16).toString('hex'),
      direction: 'out',
      peer: member.key,
      nick: member.nick,
      name: safeFileName(basename(full)),
      size: found.size,
      sha256: '',
      path: full,
      mtimeMs: found.mtimeMs,
    };
    const item = this.#add(kept, 'preparing');
    void this.#prepare(item);
    return item.id;
  }

  message(peer: { key: string; nick: string }, message: Extract<PeerMessage, { t: 'file-offer' | 'file-end' }>): void {
    const item = this.#items.get(message.id);
    if (item && item.peer !== peer.key) return;
    if (message.t === 'file-offer') return this.#offered(peer, message, item);
    if (!item || ENDED.includes(item.view.state)) return;
    this.#end(item, item.direction === 'out' ? 'declined' : 'cancelled');
  }

  async act(id: string, action: FileAction): Promise<void> {
    const matching = [...this.#items.values()].filter((one) => one.id.startsWith(id));
    const [item] = matching;
    if (!item || matching.length > 1) throw new WarrenError('invalid', `no transfer is called ${id}`);
    const { state } = item.view;
    if (action === 'accept' && item.direction === 'in' && state === 'offered') {
      this.#set(item, { state: 'waiting' });
      this.#keep();
      void this.#fetch(item);
    } else if (action === 'remove' && ENDED.includes(state)) {
      this.#items.delete(item.id);
      this.#hooks?.changed();
    } else if ((action === 'cancel' || action === 'decline') && !ENDED.includes(state)) {
      this.#hooks?.send(item.peer, { t: 'file-end', id: item.id });
      this.#end(item, action === 'decline' ? 'declined' : 'cancelled');
      if (item.direction === 'in') await rm(this.#partPath(item), { force: true });
    } else throw new WarrenError('invalid', `a transfer that is ${state} cannot be ${action}ed`);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearInterval(this.#timer);
    for (const item of this.#items.values()) item.stop.abort();
    this.#closeServer();
  }

  // What is offered here

  async #prepare(item: Item): Promise<void> {
    try {
      item.sha256 = await sha256Of(item.path, item.stop.signal);
      if (!(await isUnchanged(item))) return this.#end(item, 'failed', 'changed');
      this.#set(item, { state: 'offered' });
      this.#keep();
      this.#again();
    } catch {
      if (!item.stop.signal.aborted) this.#end(item, 'failed', 'disk');
    }
  }

  /** Says every offer that stands to whoever is there. */
  #again(): void {
    const { ipv4, members } = this.#room;
    const standing = [...this.#items.values()].filter(
      ({ direction, view, peer }) =>
        direction === 'out' &&
        (view.state === 'offered' || view.state === 'waiting') &&
        members.some(({ key }) => key === peer),
    );
    if (ipv4 === null || standing.length === 0 || this.#stopped) return;
    this.#server ??= this.#serve(ipv4);
    this.#server.then(
      ({ port }) => standing.forEach((item) => this.#say(item, port)),
      (error: Error) => {
        this.#server = null;
        this.#options.log(`files cannot be served: ${error.message}`);
      },
    );
  }

  #say(item: Item, port: number): void {
    if (ENDED.includes(item.view.state) || !this.#hooks) return;
    item.closeHole ??= this.#hooks.open(item.peer, port);
    const { id, name, size, sha256 } = item;
    this.#hooks.send(item.peer, { t: 'file-offer', id, name, size, sha256, port });
  }

  #serve(address: string): Promise<FileServer> {
    return serveFiles({
      address,
      sourceOf: (id, remote) => {
        const item = this.#items.get(id);
        const to = this.#room.members.find(({ key }) => key === item?.peer);
        return item?.direction === 'out' && !ENDED.includes(item.view.state) && to?.ipv4 === remote ? item : null;
      },
      progress: (id, done) => {
        const item = this.#items.get(id);
        if (item && !ENDED.includes(item.view.state)) this.#set(item, { done, state: 'running' });
      },
      ended: (id, end) => {
        const item = this.#items.get(id);
        if (!item || ENDED.includes(item.view.state)) return;
        if (end === 'complete') this.#end(item, 'done');
        else if (end === 'changed') this.#end(item, 'failed', 'changed');
        else this.#set(item, { state: 'waiting' });
      },
    });
  }

  #closeServer(): void {
    void this.#server?.then((server) => server.close()).catch(() => {});
    this.#server = null;
    for (const item of this.#items.values()) {
      item.closeHole?.();
      item.closeHole = null;
    }
  }

  // What is offered to this host

  #offered(
    peer: { key: string; nick: string },
    { id, name, size, sha256, port }: Offer,
    known: Item | undefined,
  ): void {
    if (known) {
      const same = known.direction === 'in' && known.sha256 === sha256 && known.size === size;
      if (!same) return;
      // A sender that did not hear of the end hears it now.
      if (known.view.state === 'declined' || known.view.state === 'cancelled')
        this.#hooks?.send(peer.key, { t: 'file-end', id });
      known.port = port;
      for (const wake of known.wake.splice(0)) wake();
      return;
    }
    const waiting = [...this.#items.values()].filter((one) => one.peer === peer.key && one.view.state === 'offered');
    if (waiting.length >= OFFERS_A_MEMBER || this.#items.size >= LISTED) return;
    const kept: KeptFile = {
      id,
      direction: 'in',
      peer: peer.key,
      nick: peer.nick,
      name: safeFileName(name),
      size,
      sha256,
      path: '',
      mtimeMs: 0,
    };
    this.#add(kept, 'offered').port = port;
  }

  async #fetch(item: Item): Promise<void> {
    const { id, name, size, sha256 } = item;
    const { folder } = this.#options;
    try {
      await mkdir(folder, { recursive: true });
      const end = await fetchFile({
        id,
        folder,
        name,
        partPath: this.#partPath(item),
        size,
        sha256,
        where: () => {
          const address = this.#room.members.find(({ key }) => key === item.peer)?.ipv4;
          return address && item.port !== null ? { address, port: item.port } : null;
        },
        moved: () => new Promise((wake) => item.wake.push(wake)),
        progress: (done, running) => this.#set(item, { done, state: running ? 'running' : 'waiting' }),
        signal: item.stop.signal,
      });
      if (end.ok) this.#set(item, { path: end.path });
      this.#end(item, end.ok ? 'done' : 'failed', end.ok ? null : end.problem);
    } catch (error) {
      if (item.stop.signal.aborted) return;
      this.#options.log(
        `file ${id.slice(0, 8)} cannot be received: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`,
      );
      this.#end(item, 'failed', 'disk');
    }
  }

  /** Hidden, beside what it will become: the last step is a rename. */
  #partPath({ id, name }: Item): string {
    return join(this.#options.folder, `.${name}.${id.slice(0, 8)}.part`);
  }

  // Both

  #add(kept: KeptFile, state: FileTransfer['state']): Item {
    const { id, direction, peer, nick, name, size, path } = kept;
    const view: FileTransfer = {
      id,
      direction,
      peer,
      nick,
      name,
      size,
      done: 0,
      state,
      problem: null,
      path: path || null,
    };
    const item: Item = { ...kept, view, stop: new AbortController(), port: null, wake: [], closeHole: null };
    this.#items.set(id, item);
    this.#hooks?.changed();
    return item;
  }

  #set(item: Item, change: Partial<FileTransfer>): void {
    if (ENDED.includes(item.view.state)) return;
    item.view = { ...item.view, ...change };
    this.#hooks?.changed();
  }

  #end(item: Item, state: 'done' | 'failed' | 'declined' | 'cancelled', problem: FileTransfer['problem'] = null): void {
    this.#set(item, { state, problem, ...(state === 'done' ? { done: item.size } : {}) });
    item.stop.abort();
    item.closeHole?.();
    item.closeHole = null;
    this.#keep();
  }

  /** What goes on after a restart: offers of this host, and what was accepted here. */
  #keep(): void {
    const standing = [...this.#items.values()].filter(
      ({ direction, view }) =>
        !ENDED.includes(view.state) && view.state !== 'preparing' && (direction === 'out' || view.state !== 'offered'),
    );
    this.#options.store.save(standing);
  }
}
