import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { privateDirectory, writeAtomic } from '../../../engine/net/state/files.ts';
import { loadSettings, machineKey, roomStore, saveSettings } from '../../../engine/net/state/stores.ts';

const TOPIC = 'ab'.repeat(32);
const isRoot = process.getuid?.() === 0;
let directory: string;
let state: string;
const undo: (() => void)[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'warren-state-'));
  state = join(directory, 'state');
});
afterEach(() => {
  for (const step of undo.splice(0).toReversed()) step();
  rmSync(directory, { recursive: true, force: true });
});

const mode = (path: string) => statSync(path).mode & 0o777;
const diskError = (words: string) => expect.objectContaining({ code: 'disk', message: expect.stringContaining(words) });

/** A state directory that takes not one byte more. The answer is what the message must say. */
function full(): string {
  mkdirSync(state, { recursive: true });
  if (!isRoot) {
    chmodSync(join(state, 'rooms'), 0o500);
    undo.push(() => chmodSync(join(state, 'rooms'), 0o700));
    return 'no permission';
  }
  writeFileSync(join(state, 'fill'), Buffer.alloc(64 * 1024));
  return 'the disk is full';
}

/** A file system of 64 KiB where this user may have one, so that it can be filled. */
function smallDisk(): void {
  if (!isRoot) return;
  mkdirSync(state);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=0700', 'tmpfs', state]);
  undo.push(() => execFileSync('umount', [state]));
}

describe('the machine key', () => {
  it('is made once, 32 bytes that only this user can read', () => {
    const key = machineKey(state);
    expect(key).toHaveLength(32);
    expect(machineKey(state)).toEqual(key);
    expect(mode(join(state, 'machine.key'))).toBe(0o600);
    expect(mode(state)).toBe(0o700);
    expect(readdirSync(state)).toEqual(['machine.key']);
  });

  it('that is damaged is not replaced: it is who this member is', () => {
    machineKey(state);
    writeFileSync(join(state, 'machine.key'), 'short');
    expect(() => machineKey(state)).toThrowError(diskError('damaged'));
    expect(readFileSync(join(state, 'machine.key'), 'utf8')).toBe('short');
  });
});

describe("a room's memory", () => {
  it('comes back as it was saved, apart for each room, and only for this user', () => {
    const one = roomStore(state, TOPIC);
    expect(one.load()).toBeNull();
    one.save(Buffer.from('one'));
    roomStore(state, 'cd'.repeat(32)).save(Buffer.from('two'));
    expect(Buffer.from(one.load()!).toString()).toBe('one');
    expect(mode(join(state, 'rooms'))).toBe(0o700);
    expect(mode(join(state, 'rooms', `${TOPIC}.json`))).toBe(0o600);
  });

  it('has no file outside its directory', () => {
    expect(() => roomStore(state, '../../etc/passwd')).toThrowError(expect.objectContaining({ code: 'invalid' }));
  });

  it('keeps the old one whole when the disk is full, and says so', () => {
    smallDisk();
    const store = roomStore(state, TOPIC);
    store.save(Buffer.alloc(3_000, 'a'));
    let why = '';
    try {
      why = full();
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
      why = 'the disk is full';
    }
    expect(() => store.save(Buffer.alloc(9_000, 'b'))).toThrowError(diskError(why));
    expect(Buffer.from(store.load()!)).toEqual(Buffer.alloc(3_000, 'a'));
    expect(readdirSync(join(state, 'rooms'))).toEqual([`${TOPIC}.json`]);
  });
});

describe('settings', () => {
  it('are on until they are turned off, one by one', () => {
    expect(loadSettings(state)).toEqual({ portMapping: true, hardNat: true, discovery: true, filter: 'games' });
    saveSettings(state, { hardNat: false });
    saveSettings(state, { portMapping: true });
    expect(loadSettings(state)).toEqual({ portMapping: true, hardNat: false, discovery: true, filter: 'games' });
  });

  it('that are damaged are an error, not a silent default', () => {
    saveSettings(state, { hardNat: false });
    writeFileSync(join(state, 'settings.json'), '{"hardNat":"perhaps"}');
    expect(() => loadSettings(state)).toThrowError(diskError('damaged'));
  });
});

describe('files', () => {
  it('are replaced in one step and leave nothing beside them', () => {
    writeAtomic(join(directory, 'file'), 'old');
    writeAtomic(join(directory, 'file'), 'new');
    expect(readFileSync(join(directory, 'file'), 'utf8')).toBe('new');
    expect(readdirSync(directory)).toEqual(['file']);
  });

  it('go into directories that others cannot enter, even if those were open before', () => {
    mkdirSync(state, { mode: 0o755 });
    privateDirectory(state);
    expect(mode(state)).toBe(0o700);
  });

  it('do not go where a file is', () => {
    writeFileSync(state, '');
    expect(() => privateDirectory(state)).toThrowError(diskError('cannot use'));
  });

  it('do not follow a link that leads nowhere', () => {
    symlinkSync(join(directory, 'missing'), state);
    expect(() => privateDirectory(state)).toThrowError(expect.objectContaining({ code: 'disk' }));
  });
});
