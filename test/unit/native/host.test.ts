import { closeSync, fstatSync, openSync } from 'node:fs';

import { afterEach, describe, expect, it } from 'vitest';

import { closeDevices, openDevice } from './fixture.ts';

afterEach(closeDevices);

/** A TunDevice around any descriptor: what the device does with it does not need a real interface. */
function tunOn(fd: number) {
  const closed: number[] = [];
  const tun = {
    kind: 'system' as const,
    name: 'none',
    fd,
    mtu: 1_420,
    capture: null,
    configure: async () => {},
    close: async () => {
      if (closed.push(fd) === 1) closeSync(fd);
    },
  };
  return { tun, closed };
}

describe('a device over a system TUN', () => {
  it('says so when the interface fails, and closes it', async () => {
    // Reading a directory fails at once, as reading an interface does that is gone.
    const { tun, closed } = tunOn(openSync('/', 'r'));
    const target = openDevice({ tun });
    expect(await target.next('failed')).toEqual({ type: 'failed', code: 'EISDIR' });
    await target.device.close();
    expect(closed).toEqual([tun.fd]);
    await target.device.close();
    expect(closed).toEqual([tun.fd]);
  });

  it('has a descriptor of its own', async () => {
    const { tun } = tunOn(openSync('/dev/null', 'r+'));
    const target = openDevice({ tun });
    await tun.close();
    expect(() => fstatSync(tun.fd)).toThrow('EBADF');
    expect(target.device.stats().peers).toEqual([]);
  });

  it('is refused a closed one', async () => {
    const { tun } = tunOn(openSync('/dev/null', 'r+'));
    await tun.close();
    expect(() => openDevice({ tun })).toThrow(expect.objectContaining({ name: 'WireguardError', code: 'closed' }));
  });

  it('takes no packets from JavaScript', () => {
    const { tun } = tunOn(openSync('/dev/null', 'r+'));
    const target = openDevice({ tun });
    expect(() => target.device.writeTun(new Uint8Array(20))).toThrow(expect.objectContaining({ code: 'invalid' }));
  });
});
