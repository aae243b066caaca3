import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { JsonLines } from '../../lab/interop/json-lines.ts';
import { Lab, type Namespace } from '../../lab/netns.ts';
import { repositoryRoot } from '../../lab/paths.ts';
import { describeLab } from '../../lab/requirements.ts';
import { until } from '../../until.ts';
import type { Answer, Command } from './tun-child.ts';

const CHILD = join(repositoryRoot, 'build/test/unit/native-tun/tun-child.js');
const HELPER = join(repositoryRoot, 'native/build/Release/warren-tun-helper');
/** A public device node as distributions have it, then an ordinary user; the mount is this process's own. */
const AS_NOBODY = `mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 &&
  exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"`;
const CAP_NET_ADMIN_ONLY = '0000000000001000';
/** An ordinary program: a datagram of these bytes to this address. */
const SAY = `const socket = require('node:dgram').createSocket('udp4');
  const [, to, hex] = process.argv;
  socket.bind(0, () => {
    socket.setBroadcast(true);
    socket.send(Buffer.from(hex, 'hex'), 6112, to, () => socket.close());
  });`;
const ROOM = { addresses: ['10.64.16.5/20', 'fd12:3456:789a:1::5/64'], routes: ['224.0.0.0/4', '10.70.0.1/32'] };

type Opener = JsonLines<Command, Answer>;

interface Link {
  ifname: string;
  mtu: number;
  txqlen: number;
  gso_max_segs: number;
  flags: string[];
  inet6_addr_gen_mode?: string;
}
interface AddressList {
  addr_info: { local: string; prefixlen: number }[];
}

let directory: string;
const capable = () => join(directory, 'capable-helper');
const setuid = () => join(directory, 'setuid-helper');

/** The helper that a process started. */
function helperOf(pid: number): number | undefined {
  const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  return pids.map(Number).find((candidate) => status(candidate)['PPid'] === String(pid));
}
function status(pid: number): Record<string, string> {
  try {
    const lines = readFileSync(`/proc/${pid}/status`, 'utf8').trim().split('\n');
    return Object.fromEntries(lines.map((line) => line.split(':\t').map((part) => part.trim())));
  } catch {
    return {};
  }
}

describeLab('TUN interfaces', () => {
  let lab: Lab;
  let namespace: Namespace;

  const asRoot = (): Opener => new JsonLines(lab, namespace, [process.execPath, CHILD]);
  const asNobody = (): Opener => new JsonLines(lab, namespace, ['sh', '-c', AS_NOBODY, 'sh', process.execPath, CHILD]);

  /** What `ip -json` prints inside the namespace. */
  async function ip<Listing>(...args: string[]): Promise<Listing[]> {
    const { stdout } = await lab.run(namespace, ['ip', '-json', ...args]);
    return JSON.parse(stdout) as Listing[];
  }
  /** Names of the interfaces but the loopback. */
  async function interfaces(): Promise<string[]> {
    const links = await ip<Link>('link');
    return links.map((candidate) => candidate.ifname).filter((name) => name !== 'lo');
  }
  async function link(name: string): Promise<Link | undefined> {
    const links = await ip<Link>('-details', 'link');
    return links.find((candidate) => candidate.ifname === name);
  }
  async function addresses(name: string): Promise<string[]> {
    const lists = await ip<AddressList>('address', 'show', 'dev', name);
    return lists.flatMap((list) => list.addr_info.map((entry) => `${entry.local}/${entry.prefixlen}`)).toSorted();
  }
  async function routes(name: string): Promise<string[]> {
    const all = await ip<{ dst: string }>('route', 'show', 'dev', name, 'proto', 'static');
    return all.map((route) => route.dst).toSorted();
  }

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'warren-tun-'));
    chmodSync(directory, 0o755);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  beforeEach(async () => {
    lab = Lab.open();
    namespace = await lab.namespace('tun');
  });
  afterEach(() => lab.close());

  describe('opened by a process with CAP_NET_ADMIN', () => {
    test('takes the first free name, a short queue, no link-local address, and vanishes on close', async () => {
      const opener = asRoot();
      expect(await opener.ask({ do: 'open', options: {} })).toEqual({ name: 'warren0', mtu: 1420 });
      expect(await opener.ask({ do: 'configure', ...ROOM })).toEqual({});
      expect(await link('warren0')).toMatchObject({
        mtu: 1420,
        txqlen: 128,
        // 45 packets of 1,420 bytes, sealed, fit in one UDP send.
        gso_max_segs: 45,
        inet6_addr_gen_mode: 'none',
        flags: expect.arrayContaining(['UP', 'NOARP']) as string[],
      });
      expect(await addresses('warren0')).toEqual(ROOM.addresses.toSorted());
      expect(await routes('warren0')).toEqual(['10.70.0.1', '224.0.0.0/4']);

      expect(await asRoot().ask({ do: 'open', options: {} })).toMatchObject({ name: 'warren1' });

      await opener.ask({ do: 'close' });
      await opener.ask({ do: 'close' });
      expect(await interfaces()).toEqual(['warren1']);
      expect(await opener.ask({ do: 'configure', ...ROOM })).toMatchObject({ error: 'closed' });
    });

    test('a second configuration replaces the first and touches no other interface', async () => {
      const [first, second] = [asRoot(), asRoot()];
      await first.ask({ do: 'open', options: { name: 'one' } });
      await second.ask({ do: 'open', options: { name: 'two' } });
      await first.ask({ do: 'configure', addresses: ['10.64.16.5/20'], routes: ['224.0.0.0/4', '10.70.0.1/32'] });
      await second.ask({ do: 'configure', addresses: ['10.64.32.5/20'], routes: ['224.0.0.0/4'] });

      await second.ask({ do: 'configure', addresses: ['10.64.48.5/20'], routes: ['224.0.0.0/4', '10.70.0.2/32'] });
      expect(await addresses('two')).toEqual(['10.64.48.5/20']);
      expect(await routes('two')).toEqual(['10.70.0.2', '224.0.0.0/4']);
      await second.ask({ do: 'configure', addresses: [], routes: [] });
      expect(await addresses('two')).toEqual([]);
      expect(await routes('two')).toEqual([]);
      expect(await addresses('one')).toEqual(['10.64.16.5/20']);
      expect(await routes('one')).toEqual(['10.70.0.1', '224.0.0.0/4']);
    });

    test('a taken name, an impossible name, MTU or prefix each has its code', async () => {
      const opener = asRoot();
      expect(await opener.ask({ do: 'open', options: { name: 'lo' } })).toMatchObject({ error: 'name-taken' });
      for (const options of [{ name: 'a/b' }, { name: 'x'.repeat(16) }, { name: '..' }, { mtu: 1279 }, { mtu: -1 }]) {
        expect(await opener.ask({ do: 'open', options })).toMatchObject({ error: 'invalid' });
      }
      expect(await opener.ask({ do: 'open', options: { name: 'game0', mtu: 1280 } })).toEqual({
        name: 'game0',
        mtu: 1280,
      });
      for (const bad of ['10.64.0.1', '10.64.0.1/33', '10.64.0.1/08', 'fd00::1/129', 'example.com/24', '']) {
        const answer = await opener.ask({ do: 'configure', addresses: [bad], routes: [] });
        expect(answer, bad).toMatchObject({ error: 'invalid' });
      }
      const hostRoute = await opener.ask({ do: 'configure', addresses: [], routes: ['10.64.0.1/20'] });
      expect(hostRoute).toMatchObject({ error: 'invalid' });
    });
  });

  describe('opened for an ordinary user by the helper', () => {
    beforeAll(() => {
      copyFileSync(HELPER, capable());
      execFileSync('setcap', ['cap_net_admin,cap_net_raw+ep', capable()]);
      copyFileSync(HELPER, setuid());
      chmodSync(setuid(), 0o4755);
    });

    test.each([
      ['with file capabilities', capable],
      ['started as root, as pkexec and sudo do', setuid],
    ])('%s: works, and holds nothing but CAP_NET_ADMIN', async (_, helper) => {
      const opener = asNobody();
      const opened = await opener.ask({ do: 'open', options: { helperPath: helper() } });
      expect(opened).toEqual({ name: 'warren0', mtu: 1420 });
      expect(await opener.ask({ do: 'configure', ...ROOM })).toEqual({});
      expect(await addresses('warren0')).toEqual(ROOM.addresses.toSorted());
      expect(await routes('warren0')).toEqual(['10.70.0.1', '224.0.0.0/4']);

      const pid = helperOf(opener.pid)!;
      expect(status(pid)).toMatchObject({
        CapPrm: CAP_NET_ADMIN_ONLY,
        CapEff: CAP_NET_ADMIN_ONLY,
        CapInh: '0000000000000000',
        CapAmb: '0000000000000000',
        NoNewPrivs: '1',
        Uid: '65534\t65534\t65534\t65534',
        Gid: '65534\t65534\t65534\t65534',
        Groups: '',
      });
      expect(readdirSync(`/proc/${pid}/fd`)).toHaveLength(6); // socket, /dev/null twice, the TUN, the packet socket, a pair's end

      await opener.ask({ do: 'close' });
      expect(await interfaces()).toEqual([]);
      expect(helperOf(opener.pid)).toBeUndefined();
    });

    test.each([
      ['this process', null],
      ['the helper', capable],
    ])('%s hears what leaves to everybody by other interfaces, and nothing else', async (_, helper) => {
      const opener = helper === null ? asRoot() : asNobody();
      await opener.ask({ do: 'open', options: helper === null ? {} : { helperPath: helper() } });
      await opener.ask({ do: 'configure', addresses: ['10.64.16.5/20'], routes: [] });
      await lab.run(namespace, ['ip', 'link', 'add', 'card', 'type', 'veth', 'peer', 'name', 'cable']);
      await lab.run(namespace, ['ip', 'address', 'add', '192.168.7.5/24', 'dev', 'card']);
      for (const end of ['card', 'cable']) await lab.run(namespace, ['ip', 'link', 'set', end, 'up']);
      await lab.run(namespace, ['ip', 'neighbour', 'add', '192.168.7.9', 'lladdr', '02:00:00:00:00:09', 'dev', 'card']);
      await lab.run(namespace, ['ip', 'route', 'add', 'default', 'dev', 'card']);
      // To one host, to a group, by the tunnel itself; then what is wanted.
      const say = (to: string, text: string) =>
        lab.run(namespace, [process.execPath, '-e', SAY, to, Buffer.from(text).toString('hex')]);
      for (const to of ['192.168.7.9', '224.0.2.60', '10.64.31.255']) await say(to, 'no');
      await say('192.168.7.255', 'directed');
      await say('255.255.255.255', 'limited');
      const heard: string[] = [];
      await until('both', async () => {
        const { packet } = await opener.ask({ do: 'captured' });
        if (packet) heard.push(packet);
        return heard.length === 2;
      }).catch((error: Error) => {
        throw new Error(`${error.message}: ${heard.join(' ')}`);
      });
      expect(heard.map((packet) => Buffer.from(packet.slice(56), 'hex').toString())).toEqual(['directed', 'limited']);
      expect(await opener.ask({ do: 'captured' })).toEqual({ packet: null });
    });

    test('a program that ends in being the helper will do', async () => {
      const wrapper = join(directory, 'wrapper');
      writeFileSync(wrapper, `#!/bin/sh\nexec ${capable()}\n`, { mode: 0o755 });
      const answer = await asNobody().ask({ do: 'open', options: { name: 'warren7', helperPath: wrapper } });
      expect(answer).toEqual({ name: 'warren7', mtu: 1420 });
    });

    test('names outside warren0 to warren99 are refused', async () => {
      const opener = asNobody();
      for (const name of ['eth0', 'enp3s0', 'warren100', 'warrenx', 'warre', 'Warren1', 'warren-1', 'tun0']) {
        const answer = await opener.ask({ do: 'open', options: { name, helperPath: capable() } });
        expect(answer, name).toMatchObject({ error: 'invalid' });
      }
      expect(await interfaces()).toEqual([]);
    });

    test('addresses and routes that belong to no room are refused and change nothing', async () => {
      const opener = asNobody();
      await opener.ask({ do: 'open', options: { helperPath: capable() } });
      await opener.ask({ do: 'configure', ...ROOM });
      for (const route of [
        '0.0.0.0/0',
        '::/0',
        '8.8.8.8/32',
        '10.64.0.0/10',
        '10.128.0.1/32',
        '192.168.0.0/24',
        '128.0.0.0/1',
        '224.0.0.0/3',
        '255.255.255.254/32',
        '10.64.16.0/24',
        '2000::/3',
        'fd00::/8',
        'ff00::/8',
      ]) {
        const answer = await opener.ask({ do: 'configure', addresses: [], routes: [route] });
        expect(answer, route).toMatchObject({ error: 'invalid' });
      }
      for (const address of [
        '192.168.1.1/24',
        '10.64.16.0/20',
        '10.64.31.255/20',
        '10.64.16.5/8',
        '10.0.0.1/20',
        '127.0.0.1/8',
        'fe80::1/64',
        'fd00::/64',
        'fd00::1/8',
        '2001:db8::1/64',
        '8.8.8.8/32',
      ]) {
        const answer = await opener.ask({ do: 'configure', addresses: [address], routes: [] });
        expect(answer, address).toMatchObject({ error: 'invalid' });
      }
      expect(await addresses('warren0')).toEqual(ROOM.addresses.toSorted());
      expect(await routes('warren0')).toEqual(['10.70.0.1', '224.0.0.0/4']);
    });

    test('a taken name is told', async () => {
      await asRoot().ask({ do: 'open', options: { name: 'warren3' } });
      const answer = await asNobody().ask({ do: 'open', options: { name: 'warren3', helperPath: capable() } });
      expect(answer).toMatchObject({ error: 'name-taken', message: expect.stringContaining('warren3') as string });
    });

    test('kill -9 of the user ends the helper and the interface', async () => {
      const opener = asNobody();
      await opener.ask({ do: 'open', options: { helperPath: capable() } });
      await opener.ask({ do: 'configure', ...ROOM });
      const pid = helperOf(opener.pid)!;
      expect(await interfaces()).toEqual(['warren0']);
      await opener.process.stop('SIGKILL');
      await until('helper gone', () => !['S', 'R', 'D'].includes(status(pid)['State']?.[0] ?? ''));
      await until('interface gone', async () => (await interfaces()).length === 0);
    });

    test('kill -9 of the helper leaves a working interface that can no longer be configured', async () => {
      const opener = asNobody();
      await opener.ask({ do: 'open', options: { helperPath: capable() } });
      process.kill(helperOf(opener.pid)!, 'SIGKILL');
      expect(await opener.ask({ do: 'configure', ...ROOM })).toMatchObject({ error: 'helper-failed' });
      expect(await interfaces()).toEqual(['warren0']);
      expect(await opener.ask({ do: 'close' })).toEqual({});
      expect(await interfaces()).toEqual([]);
    });

    test('without rights and without a helper the error names the next step', async () => {
      const plain = join(directory, 'plain-helper');
      copyFileSync(HELPER, plain);
      const opener = asNobody();
      for (const helperPath of [plain, join(directory, 'absent')]) {
        expect(await opener.ask({ do: 'open', options: { helperPath } })).toMatchObject({
          error: 'no-rights',
          message: expect.stringContaining(`sudo setcap cap_net_admin,cap_net_raw+ep ${helperPath}`) as string,
        });
      }
    });

    test.each(['/bin/true', '/bin/false'])('a program that is no helper (%s): helper-failed', async (helperPath) => {
      const answer = await asNobody().ask({ do: 'open', options: { helperPath } });
      expect(answer).toMatchObject({ error: 'helper-failed' });
    });
  });
});
